"""A warehouse to build in: the stand-in of Redshift, emptied for each test, in front of a published lake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from redshift_standin import RedshiftStandin, standin
from redshift_standin.external import fill

from deftunes_contract.settings import LakeSettings
from deftunes_serving.__main__ import run
from deftunes_serving.runner import DbtProject
from deftunes_serving.settings import ProjectSettings

SCHEMAS = ("deftunes_building", "deftunes_serving", "deftunes_staging", "deftunes_transform")


@dataclass
class Warehouse:
    """The stand-in as `deftunes-dbt` and readers see it."""

    redshift: RedshiftStandin
    settings: Callable[[], LakeSettings]

    def fill(self, **only: Any) -> None:
        """Show the lake's published tables as external tables."""
        fill(self.redshift, self.settings(), **only)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask as an analyst would, with no proxy in between."""
        with self.redshift.direct() as connection:
            return list(connection.execute(sql).fetchall())

    def value(self, sql: str) -> Any:
        ((value,),) = self.query(sql)
        return value

    def relations(self) -> list[str]:
        """What readers can see."""
        found = self.query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'deftunes_serving' ORDER BY 1"
        )
        return [name for (name,) in found]

    def content(self) -> dict[str, list[str]]:
        """Every row of every public relation, as sorted text: equal contents are equal states.

        When a restatement was noticed differs from run to run; what it says does not.
        """
        return {
            name: sorted(
                str(row[1:] if name == "restatement" else row)
                for row in self.query(f"SELECT * FROM deftunes_serving.{name}")
            )
            for name in self.relations()
        }

    def run(self) -> list[str]:
        """The statements that went through since the last time, one line each, without comments."""
        texts = (re.sub(r"/\*.*?\*/", "", statement.text, flags=re.DOTALL) for statement in self.redshift.statements)
        lines = [" ".join(text.split()) for text in texts]
        self.redshift.statements.clear()
        return lines


@pytest.fixture(scope="session")
def redshift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedshiftStandin]:
    """The one stand-in; it takes two seconds to start."""
    with standin(tmp_path_factory.mktemp("redshift")) as server:
        yield server


@pytest.fixture
def warehouse(redshift: RedshiftStandin, lake: Any, environment: pytest.MonkeyPatch) -> Warehouse:
    """An empty warehouse before `lake`; the environment of `deftunes-dbt` names it."""
    with redshift.direct() as connection:
        for schema in SCHEMAS:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    redshift.statements.clear()
    for name, value in {
        "DEFTUNES_DBT_TARGET": "redshift",
        "REDSHIFT_HOST": redshift.host,
        "REDSHIFT_PORT": str(redshift.port),
        "REDSHIFT_DATABASE": redshift.database,
        "REDSHIFT_USER": redshift.user,
        "REDSHIFT_PASSWORD": redshift.password,
        "REDSHIFT_SSLMODE": "disable",
        "REDSHIFT_READERS": "group:readers",
    }.items():
        environment.setenv(name, value)
    return Warehouse(redshift, lambda: lake.settings)


@pytest.fixture
def build_redshift(warehouse: Warehouse) -> Callable[..., str]:
    """`build_redshift("2020-01-01", "2020-02-01")` as the command line would; returns the sentence or raises."""

    def build(start: str = "2020-01-01", end: str = "2020-02-01", *options: str) -> str:
        return run(["build", "--start", start, "--end", end, *options])

    return build


@pytest.fixture
def dbt_redshift(warehouse: Warehouse, dbt_home: Any) -> DbtProject:
    """dbt itself, without lock, exchange and judgement."""
    return DbtProject(ProjectSettings().dbt_project, dbt_home, "redshift", {"DEFTUNES_DBT_THREADS": "1"})


@pytest.fixture
def built(golden: Callable[..., None], warehouse: Warehouse, build_redshift: Callable[..., str]) -> Warehouse:
    """The warehouse when the golden world was built in it."""
    golden()
    warehouse.fill()
    build_redshift("2019-12-01", "2020-02-01")
    return warehouse
