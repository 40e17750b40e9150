"""A stack's settings: the committed ones are taken, contradictions are refused before anything is created."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from mocked import Built
from pydantic import ValidationError

from deftunes_cloud.settings import Settings, read_settings

PROGRAM = Path(__file__).parents[2] / "infra_pulumi"
STACKS = ("dev", "staging", "prod")


def given(stack: str) -> dict[str, Any]:
    """The settings in a committed file."""
    text = (PROGRAM / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config: dict[str, Any] = yaml.safe_load(text)["config"]
    return {name.partition(":")[2]: value for name, value in config.items() if name.startswith("deftunes:")}


@pytest.mark.parametrize("stack", STACKS)
def test_the_committed_stacks_are_taken(stack: str) -> None:
    assert Settings.model_validate(given(stack)).environment == stack


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_names_an_account_a_region_or_an_arn(stack: str) -> None:
    text = (PROGRAM / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    assert "arn:" not in text
    assert "aws:region:" not in text
    assert not [word for word in text.split() if word.strip("\"'").isdigit() and len(word.strip("\"'")) == 12]


def test_the_whole_cloud_is_seen_on_one_page() -> None:
    assert len((PROGRAM / "__main__.py").read_text(encoding="utf-8").splitlines()) <= 80


def test_the_program_names_no_account_no_region_and_no_arn() -> None:
    """All three come from the provider; an f-string that begins with arn: takes its parts from there."""
    files = [*(PROGRAM / "deftunes_cloud").glob("*.py"), PROGRAM / "__main__.py"]
    assert len(files) > 20
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"\b\d{12}\b|\barn:aws\b|\b(?:us|eu|ap|sa|ca|me|af|il)-[a-z]+-\d\b", text) == [], file


def with_(stack: str, section: str, **changed: Any) -> dict[str, Any]:
    settings = given(stack)
    return {**settings, section: {**settings.get(section, {}), **changed}}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**given("prod"), "protect": False}, "protect must be true"),
        (with_("prod", "network", nat="single"), "network.nat must be per-zone"),
        (with_("prod", "database", multi_az=False), "database.multi_az must be true"),
        (with_("prod", "shop", api_cidr="0.0.0.0/0"), "shop.api_cidr must not be the internet"),
        (with_("prod", "shop", songs_cidr="::/0"), "shop.songs_cidr must not be the internet"),
        (with_("prod", "shop", api_cidr="0.0.0.0/1", songs_cidr="128.0.0.0/1"), "shop.api_cidr and shop.songs_cidr"),
        (with_("prod", "sources", ledger={"port": 443}), "sources.ledger.cidr must not be the internet"),
        (with_("dev", "sources", Ledger={}), "sources.Ledger"),
        (with_("dev", "sources", ledger={"secrets": ["word"]}), "'dsn', 'token', 'password'"),
        (with_("prod", "alarms", chat_cidrs=["192.0.2.0/24", "0.0.0.0/0"]), "alarms.chat_cidrs must not be"),
        (with_("prod", "network", endpoints=["glue"]), "must contain redshift-serverless, by which dbt logs in"),
        ({**given("dev"), "environment": "test"}, "'dev', 'staging' or 'prod'"),
        ({**given("dev"), "networks": {}}, "Extra inputs are not permitted"),
        (with_("dev", "shop", api_url="http://shop.example"), "api_url"),
        (with_("dev", "shop", songs_cidr="10.0.0.1/8"), "host bits set"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(settings)
    assert said in str(refused.value)


def test_pulumis_configuration_is_read_as_written(build: Callable[..., Built]) -> None:
    config = {
        "deftunes:environment": "dev",
        "deftunes:shop": '{"api_url": "https://shop.example/api"}',
        "deftunes:alarms": '{"emails": ["a@shop.example"], "monthly_usd": 5}',
        "deftunes:protect": "false",
    }
    read = build(lambda _: read_settings(), config=config).value
    assert (read.environment, read.protect, read.alarms.monthly_usd) == ("dev", False, 5)


def test_a_refusal_names_every_fault_and_what_to_do(build: Callable[..., Built]) -> None:
    config = {"deftunes:environment": "prod", "deftunes:shop": "{}", "deftunes:protect": "false"}
    with pytest.raises(pulumi.RunError) as refused:
        build(lambda _: read_settings(), config=config)
    said = str(refused.value)
    assert "nothing was created" in said
    assert "deftunes:shop.api_url: Field required" in said
    assert "deftunes:alarms: Field required" in said
    assert "docs/aws.md" in said
