"""The registry: what follows from the contracts, and that every broken contract is named by file and line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
import yaml
from aws_fakes import aws_fakes, environment_of
from contract_texts import PAYMENTS, changed, refund_contract

from deftunes_contract.contract_files import added_files
from deftunes_contract.entity import Role
from deftunes_contract.errors import UsageError
from deftunes_contract.http_source import HttpSource
from deftunes_contract.object_store import open_store
from deftunes_contract.postgres_source import PostgresSource
from deftunes_contract.registry import Registry, build_registry, packaged_contracts, registry

PACKAGED = packaged_contracts()


def built(*texts: str) -> Registry:
    """The registry with these contracts added."""
    found, problems = build_registry(PACKAGED, {f"{at}.yaml": text for at, text in enumerate(texts)})
    assert found is not None, problems
    return found


def problems_of(*texts: str) -> list[str]:
    """What is wrong when these are added."""
    return [str(one) for one in build_registry(PACKAGED, {f"{at}.yaml": text for at, text in enumerate(texts)})[1]]


def line_of(text: str, snippet: str) -> int:
    """The line on which a snippet stands first."""
    return text[: text.index(snippet)].count("\n") + 1


def test_what_is_looked_up_is_published_first() -> None:
    assert registry().names == ("songs", "users", "sessions")
    assert registry().pipelines == {"songs": ("songs",), "api": ("users", "sessions")}
    assert registry().tables == (*registry().names, "quarantine")


@pytest.mark.parametrize("seed", range(5))
def test_the_order_does_not_depend_on_the_order_of_files(seed: int) -> None:
    files = sorted(PACKAGED.items(), key=lambda item: hash((seed, item[0])))
    found, _ = build_registry(dict(files), {"p.yaml": PAYMENTS, "r.yaml": refund_contract()})
    assert found is not None
    assert found.names == ("songs", "users", "payments", "refunds", "sessions")
    assert found.digest == built(PAYMENTS, refund_contract()).digest


def test_a_pipeline_that_others_refer_to_comes_before_them() -> None:
    text = changed("value: payments}", "value: zebra}", PAYMENTS)
    assert list(built(text, refund_contract()).pipelines) == ["songs", "zebra", "books", "api"]


def test_sources_are_parsed_by_the_type_of_their_server() -> None:
    found = built(PAYMENTS, refund_contract())
    assert isinstance(found.entity("payments").source, HttpSource)
    assert isinstance(found.entity("refunds").source, PostgresSource)
    assert (found.entity("payments").landing_folder, found.entity("payments").landing_format) == (
        "landing_zone/pay/payments",
        "jsonl",
    )
    assert found.entity("refunds").landing_format == "pgcopy"
    assert {name: server.type for name, server in found.servers.items()} == {
        "api": "api", "songs": "postgres", "pay": "api", "books": "postgres",
    }  # fmt: skip


def test_a_server_may_be_defined_in_one_contract_and_used_in_another() -> None:
    second = PAYMENTS.replace("payments", "chargebacks").replace(
        "servers:\n  - {server: pay, type: api, headers: {accept-language: en}}\n", ""
    )
    first = changed("{server: pay, type: api}", "{server: pay, type: api, headers: {accept-language: en}}")
    found = built(first, changed("servers:\n  - {server: pay, type: api}\n", "", second))
    source = found.entity("chargebacks").source
    assert isinstance(source, HttpSource)
    assert source.headers == {"accept-language": "en"}


def test_the_facts_of_the_packaged_entities() -> None:
    users, sessions, songs = (registry().entity(name) for name in ("users", "sessions", "songs"))
    assert (sessions.role, sessions.explode, sessions.amount, sessions.serving_table) == (
        Role.FACT, "session_items", "price", "fact_session",
    )  # fmt: skip
    assert (users.role, songs.role, users.explode) == (Role.DIMENSION, Role.DIMENSION, None)
    assert users.column("country_code").path == "user_location[3]"
    assert songs.landing_folder == "landing_zone/db_songs"


def test_digests_are_of_the_effective_contract_and_of_nothing_else() -> None:
    spaced = PAYMENTS.replace("\nstatus: active", "\n\n# a comment\nstatus:   active")
    loosened = changed("max: 500", "max: 501")
    plain, layout, other = (built(text).entity("payments").digest for text in (PAYMENTS, spaced, loosened))
    assert plain == layout != other
    assert built(PAYMENTS).digest != built(loosened).digest != registry().digest
    assert re.fullmatch(r"[0-9a-f]{64}", plain)


@pytest.mark.parametrize("name", sorted(PACKAGED))
def test_packaged_contracts_are_valid_by_the_schema_of_the_standard(name: str) -> None:
    schema = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text())
    jsonschema.validate(yaml.safe_load(PACKAGED[name]), schema)


def test_entities_of_the_setting_are_read_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "payments.yaml").write_text(PAYMENTS)
    (tmp_path / "fact_payments.sql").write_text("select 1")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "broken.yaml").write_text(":")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", f"{tmp_path}/")
    assert "payments" in registry().names
    assert list(added_files(str(tmp_path), ".sql").values()) == ["select 1"]
    monkeypatch.delenv("DEFTUNES_CONTRACTS")
    assert "payments" not in registry().names


def test_entities_of_the_setting_are_read_from_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_fakes() as aws:
        for name, value in environment_of(aws).items():
            monkeypatch.setenv(name, value)
        store = open_store("s3://lake")
        store.write("our/contracts/payments.yaml", PAYMENTS.encode())
        store.write("our/contracts/deeper/broken.yaml", b":")
        monkeypatch.setenv("DEFTUNES_CONTRACTS", "s3://lake/our/contracts/")
        assert registry().entity("payments").file == "s3://lake/our/contracts/payments.yaml"
        for place, message in (("s3://lake/none", "expected files at"), ("s3://lake", "a bucket without a prefix")):
            monkeypatch.setenv("DEFTUNES_CONTRACTS", place)
            with pytest.raises(UsageError, match=message):
                registry()


def test_a_mounted_config_map_is_a_folder_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes mounts each key as a link to a link to a hidden folder, which would show every file twice."""
    version = tmp_path / "mount" / "..2026_11_27"
    version.mkdir(parents=True)
    (version / "payments.yaml").write_text(PAYMENTS)
    (tmp_path / "mount" / "..data").symlink_to("..2026_11_27")
    (tmp_path / "mount" / "payments.yaml").symlink_to("..data/payments.yaml")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(tmp_path / "mount"))
    assert "payments" in registry().names


@pytest.mark.parametrize(
    ("files", "message"),
    [(None, "expected a folder"), ({}, "expected files at"), ({"a.yaml": b"\xff\xfe\x00"}, "expected UTF-8")],
)
def test_a_place_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes] | None, message: str
) -> None:
    place = tmp_path / "contracts"
    if files is not None:
        place.mkdir()
    for name, content in (files or {}).items():
        (place / name).write_bytes(content)
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(place))
    with pytest.raises(UsageError, match=message):
        registry()


def test_a_broken_contract_ends_a_stage_with_2_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "payments.yaml").write_text(changed("value: fact}", "value: fakt}"))
    environment = os.environ | {"DEFTUNES_CONTRACTS": str(tmp_path), "DEFTUNES_LAKE": str(tmp_path / "lake")}
    command = [sys.executable, "-m", "deftunes_extract", "users", "--start", "2020-01-01", "--end", "2020-02-01"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"payments.yaml:{line_of(PAYMENTS, 'value: fact}')}: role: expected" in done.stdout + done.stderr
    assert not (tmp_path / "lake").exists()
