"""Settings of the extract: where the sources are and how patient it is with them.

Which of the sources must be named depends on the entities that are asked for; everything that is missing is reported
at once. Secrets are held as `SecretStr`, so no repr, log line or error shows them.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import DirectoryPath, Field, FilePath, SecretStr, ValidationInfo, field_validator

from deftunes_contract.hosts import is_loopback
from deftunes_contract.settings import LakeSettings, from_environment, read_secret


class ExtractSettings(LakeSettings):
    """What every extract needs."""

    deadline: float = Field(
        3600, gt=0, alias="DEFTUNES_EXTRACT_DEADLINE", description="seconds one call may take, all attempts together"
    )
    attempts: int = Field(6, ge=1, alias="DEFTUNES_EXTRACT_ATTEMPTS", description="how often a source is asked")
    part_bytes: int = Field(
        128 * 1024 * 1024, ge=1, alias="DEFTUNES_PART_BYTES", description="uncompressed bytes of one landed object"
    )
    scratch: DirectoryPath | None = Field(
        None,
        alias="DEFTUNES_EXTRACT_SCRATCH",
        description="folder for the objects being written; default: the system's temporary folder",
    )
    allow_unverified: bool = Field(
        False,
        alias="DEFTUNES_ALLOW_UNVERIFIED",
        description="true: read from other hosts without TLS that proves them (http://, sslmode below verify-ca)",
    )
    shop: str = Field(
        "",
        alias="DEFTUNES_SHOP",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,62})?$",
        description="lasting name of the shop for receipts, so that its address may change; default: the address",
    )

    def origin(self, entity: str, address: str) -> str:
        """What a receipt calls the source: the shop's lasting name with the entity, or the address that was read."""
        return f"{self.shop}/{entity}" if self.shop else address


class ApiSettings(ExtractSettings):
    """Where users and sessions come from."""

    api_url: str = Field(alias="DEFTUNES_API_URL", description="root of the shop's API, e.g. https://shop.example/api")
    api_timeout: float = Field(
        60, gt=0, alias="DEFTUNES_API_TIMEOUT", description="seconds without a byte after which the API is given up"
    )

    @field_validator("api_url")
    @classmethod
    def _is_root(cls, value: str, info: ValidationInfo) -> str:
        # the messages do not show the value: it may hold a password
        try:
            url = urlsplit(value)
            usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
        except ValueError:
            usable = False
        if not usable or url.query or url.fragment:
            raise ValueError("expected http(s)://host[:port][/path] without a query")
        if url.scheme == "http" and not is_loopback(str(url.hostname)) and not info.data.get("allow_unverified"):
            raise ValueError(
                "expected https:// for a host that is not this machine, found http://, by which anybody on the way can "
                "read and change the sales; use https://, or for a trial set DEFTUNES_ALLOW_UNVERIFIED=true"
            )
        return value.rstrip("/")


class SongsSettings(ExtractSettings):
    """Where songs come from."""

    songs_dsn: SecretStr = Field(
        SecretStr(""),
        alias="DEFTUNES_SONGS_DSN",
        description="libpq URI of the songs database; its password better by PGPASSWORD, PGPASSFILE or the next one",
    )
    songs_dsn_file: FilePath | None = Field(
        None, alias="DEFTUNES_SONGS_DSN_FILE", description="mounted file that holds the URI, instead of the one above"
    )

    @field_validator("songs_dsn_file", mode="after")
    @classmethod
    def _one_of_two(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        given = info.data.get("songs_dsn")
        if given is not None and given.get_secret_value() and value is not None:
            raise ValueError("DEFTUNES_SONGS_DSN is set too; set one of the two")
        if given is not None and not given.get_secret_value() and value is None:
            raise ValueError("neither DEFTUNES_SONGS_DSN nor DEFTUNES_SONGS_DSN_FILE is set; set one of the two")
        return value

    model_config = LakeSettings.model_config | {"validate_default": True}

    @property
    def dsn(self) -> str:
        """The songs database's URI, a secret. Raises UsageError when the file cannot be read."""
        if self.songs_dsn_file is None:
            return self.songs_dsn.get_secret_value()
        return read_secret(self.songs_dsn_file, "DEFTUNES_SONGS_DSN_FILE")


class BothSettings(ApiSettings, SongsSettings):
    """What a call needs that asks for entities of both sources."""


def settings_for(entities: Collection[str]) -> ExtractSettings:
    """The settings that these entities need, from the environment. Raises UsageError naming all that is missing."""
    api, songs = bool({"users", "sessions"} & set(entities)), "songs" in entities
    kind = BothSettings if api and songs else SongsSettings if songs else ApiSettings
    return from_environment(kind)
