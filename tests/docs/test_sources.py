"""docs/sources.md names every option that a contract may use, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from deftunes_contract import http_source
from deftunes_contract.http_source import HttpSource
from deftunes_contract.postgres_source import Incremental, PostgresSource
from deftunes_extract.http_settings import HttpServerSettings
from deftunes_extract.postgres_settings import PostgresServerSettings

PAGE = Path("docs/sources.md").read_text(encoding="utf-8")
HTTP, POSTGRES = PAGE[PAGE.index("## HTTP APIs") :].split("## PostgreSQL databases")
MODELS = [
    kind
    for kind in vars(http_source).values()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and "type" in kind.model_fields
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.__name__))
def test_every_kind_and_its_options_are_in_the_tables(model: type[BaseModel]) -> None:
    kind = model.model_fields["type"].annotation.__args__[0]  # type: ignore[union-attr]
    (row,) = re.findall(rf"^\| `{kind}` \|.*$", HTTP, re.MULTILINE)
    shared = {"type", "total_records_path", "total_records_header", "version_header"}
    assert {name for name in model.model_fields if name not in shared and f"`{name}`" not in row} == set()
    assert all(f"`{name}`" in HTTP for name in shared & set(model.model_fields) - {"type"})


def test_every_option_of_an_endpoint_has_a_row() -> None:
    section = HTTP[HTTP.index("### Options of a server") : HTTP.index("### Authentication")]
    rows = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert rows == set(HttpSource.model_fields) - {"server"}


def test_every_setting_of_a_server_is_named() -> None:
    named = {name.lower() for name in re.findall(r"DEFTUNES_<SERVER>_(\w+)", HTTP)}
    assert named == set(HttpServerSettings.model_fields) - {"allow_unverified"}


def test_every_option_of_a_relation_has_a_row() -> None:
    names = re.findall(r"^\| (`[\w`, ]+`) \| ", POSTGRES, re.MULTILINE)
    options = {field.alias or name for name, field in PostgresSource.model_fields.items()} - {"server"}
    assert set(re.findall(r"\w+", " ".join(names))) == options
    assert all(f"`{name}`" in POSTGRES for name in Incremental.model_fields)


def test_every_setting_of_a_database_is_named() -> None:
    named = {name.lower() for name in re.findall(r"DEFTUNES_<SERVER>_(\w+)", POSTGRES)}
    assert named == set(PostgresServerSettings.model_fields) - {"allow_unverified"}
