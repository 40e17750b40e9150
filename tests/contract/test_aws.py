"""A wrong AWS variable ends with 2 and its name before anything is asked of AWS; Python's client is the real one."""

import os
from pathlib import Path

import pytest

from deftunes_contract.aws import aws_client, check_environment
from deftunes_contract.errors import UsageError

WRONG = {
    "AWS_PROFILE": "nobody",
    "AWS_MAX_ATTEMPTS": "abc",
    "AWS_RETRY_MODE": "often",
    "AWS_ENDPOINT_URL": "localhost:9",
    "AWS_ENDPOINT_URL_S3": "http://[::1",
    "AWS_DEFAULT_REGION": "eu west",
    "AWS_REGION": "eu west",
    "AWS_CA_BUNDLE": "/no/such/bundle.pem",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/no/such/token",
    "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT": "global",
    "AWS_METADATA_SERVICE_TIMEOUT": "soon",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "never",
    "AWS_DEFAULTS_MODE": "fast",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.mark.parametrize(("name", "value"), WRONG.items(), ids=list(WRONG))
def test_a_wrong_variable_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    if not name.endswith("REGION"):
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
    if not name.startswith("AWS_METADATA"):
        environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t/keys+of.this.account")
    environment.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        aws_client("s3", total_max_attempts=1)
    assert name in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_broken_file_of_profiles_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default\nregion")
    environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(UsageError, match="AWS_CONFIG_FILE"):
        aws_client("s3")


def test_line_ends_and_quotes_of_secrets_files_are_stripped(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_DEFAULT_REGION", "eu-west-1\n")
    environment.setenv("AWS_SECRET_ACCESS_KEY", '"abc"\r\n')
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00\n")
    client = aws_client("s3", total_max_attempts=1)
    assert client.meta.region_name == "eu-west-1"
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "abc"


def test_an_empty_environment_is_right() -> None:
    check_environment({})
