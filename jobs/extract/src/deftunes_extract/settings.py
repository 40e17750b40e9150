"""Settings of the extract: where the servers are that its entities are read from, and the limits of one call.

contracts ─► servers of the entities ─► DEFTUNES_<SERVER>_… of each, all that is missing reported at once

Secrets are held as `SecretStr` or stay in their files, so no repr, log line or error shows them.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import DirectoryPath, Field

from deftunes_contract.entity import Entity
from deftunes_contract.http_source import HttpSource
from deftunes_contract.postgres_source import PostgresSource
from deftunes_contract.settings import LakeSettings, all_from_environment
from deftunes_extract.http_settings import HttpServerSettings, http_server_settings
from deftunes_extract.postgres_settings import PostgresServerSettings, postgres_server_settings

ServerSettings = HttpServerSettings | PostgresServerSettings


class ExtractSettings(LakeSettings):
    """What every extract needs."""

    deadline: float = Field(
        3600, gt=0, alias="DEFTUNES_EXTRACT_DEADLINE", description="seconds one call may take, all attempts together"
    )
    attempts: int = Field(6, ge=1, alias="DEFTUNES_EXTRACT_ATTEMPTS", description="how often a source is read")
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


def servers_of(entities: Collection[Entity]) -> dict[str, type[ServerSettings]]:
    """The settings of the servers that these entities are read from, by the server's name."""
    kinds: dict[str, type[ServerSettings]] = {}
    for entity in entities:
        if isinstance(entity.source, HttpSource):
            kinds[entity.server] = http_server_settings(entity.server)
        elif isinstance(entity.source, PostgresSource):
            kinds[entity.server] = postgres_server_settings(entity.server)
    return kinds


def settings_for(entities: Collection[Entity]) -> tuple[ExtractSettings, dict[str, ServerSettings]]:
    """The settings of the extract, and of each server that these entities need, from the environment.

    Raises UsageError that names everything that is missing at once.
    """
    kinds = servers_of(entities)
    extract, *servers = all_from_environment([ExtractSettings, *kinds.values()])
    assert isinstance(extract, ExtractSettings)
    return extract, dict(zip(kinds, servers, strict=True))  # type: ignore[arg-type]  # one of each kind, in order
