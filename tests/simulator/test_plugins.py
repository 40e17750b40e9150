"""A plug-in adds endpoints and tables; what cannot be loaded stops the start and leaves nothing running."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from deftunes_simulator import ConfigError, WorldConfig, start_world

ROUTE = """
def add_routes(app, shop):
    @app.get("/ping")
    async def ping():
        return {"seed": shop.config.seed}
"""
TABLE = """
def add_tables(connection, config):
    connection.execute("create table if not exists deftunes.plans (scale int)")
    connection.execute("insert into deftunes.plans values (%s)", [config.scale])
"""


def test_a_plugin_adds_endpoints_and_tables_that_the_reader_may_read(tmp_path: Path, fetch_from: Any) -> None:
    route, table = tmp_path / "route.py", tmp_path / "table.py"
    route.write_text(ROUTE)
    table.write_text(TABLE)
    config = WorldConfig(seed=11, scale=100, months=1, plugins=(route, table))
    with start_world(config, tmp_path / "home") as world, psycopg.connect(world.songs_dsn) as reader:
        assert fetch_from(world.api_url, "/ping").json() == {"seed": 11}
        assert reader.execute("select scale from deftunes.plans").fetchall() == [(100,)]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("broken.py", "1 / 0", "ZeroDivisionError"),
        ("nothing.py", "x = 1", "expected add_routes or add_tables"),
        ("plugin.txt", ROUTE, "ends in .py"),
    ],
)
def test_what_is_no_plugin_is_named(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        start_world(WorldConfig(scale=100, months=1, plugins=(tmp_path / name,)), tmp_path / "home")


def test_a_missing_plugin_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="plugins: expected a file, found none at"):
        WorldConfig(plugins=(tmp_path / "missing.py",))
