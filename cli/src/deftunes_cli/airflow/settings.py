"""Where Airflow is, and who asks it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator

from deftunes_contract.errors import UsageError
from deftunes_contract.settings import LogSettings, read_secret


class AirflowSettings(LogSettings):
    """What `deftunes airflow` needs."""

    url: str = Field(
        "http://127.0.0.1:8080",
        alias="DEFTUNES_AIRFLOW_URL",
        description="root of Airflow's API server, where its web pages are",
    )
    user: str = Field("admin", min_length=1, alias="DEFTUNES_AIRFLOW_USER", description="account of Airflow")
    password_value: SecretStr = Field(
        SecretStr(""), alias="DEFTUNES_AIRFLOW_PASSWORD", description="its password, or better the next one"
    )
    password_file: FilePath | None = Field(
        None,
        alias="DEFTUNES_AIRFLOW_PASSWORD_FILE",
        description="file that holds the password, instead of the one above",
    )

    @field_validator("url")
    @classmethod
    def _is_root(cls, value: str) -> str:
        # the message does not show the value: it may hold a password
        try:
            url = urlsplit(value)
            usable = url.scheme in ("http", "https") and url.hostname and url.port != 0 and "@" not in url.netloc
        except ValueError:
            usable = False
        if not usable or url.query or url.fragment:
            raise ValueError("expected http(s)://host[:port][/path] without an account and without a query")
        return value.rstrip("/")

    @field_validator("password_file", mode="after")
    @classmethod
    def _one_of_two(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        given = info.data.get("password_value")
        if given is not None and bool(given.get_secret_value()) is (value is not None):
            found = "both are set" if value else "neither is set"
            raise ValueError(f"expected DEFTUNES_AIRFLOW_PASSWORD or DEFTUNES_AIRFLOW_PASSWORD_FILE, {found}")
        return value

    model_config = LogSettings.model_config | {"validate_default": True}

    @property
    def password(self) -> str:
        """The password. Raises UsageError when its file cannot be read or is empty."""
        if self.password_file is None:
            return self.password_value.get_secret_value()
        password = read_secret(self.password_file, "DEFTUNES_AIRFLOW_PASSWORD_FILE")
        if not password:
            raise UsageError(
                f"DEFTUNES_AIRFLOW_PASSWORD_FILE: expected a password in {self.password_file}, found nothing"
            )
        return password
