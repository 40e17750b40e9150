"""Readers of PostgreSQL relations, made as the extract makes them."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

from pydantic import SecretStr

from deftunes_contract.entity import Entity
from deftunes_contract.interval import Interval
from deftunes_contract.postgres_source import PostgresSource
from deftunes_contract.registry import load
from deftunes_extract.postgres import PostgresReader
from deftunes_extract.postgres_settings import postgres_server_settings

JANUARY = Interval(date(2020, 1, 1), date(2020, 2, 1))


def reader(dsn: str, entity: Entity | None = None, interval: Interval = JANUARY, **settings: Any) -> PostgresReader:
    """The reader of an entity, songs by default."""
    entity = entity or load("songs")
    kind = postgres_server_settings(entity.server)
    return PostgresReader(kind(dsn=SecretStr(dsn), **settings), entity, interval)


def entity_of(relation: dict[str, Any], base: str = "songs", **changes: Any) -> Entity:
    """A packaged entity read from another relation."""
    source = PostgresSource.model_validate({"server": load(base).server, **relation})
    return dataclasses.replace(load(base), source=source, **changes)
