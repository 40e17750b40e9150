"""The demo: start the simulated world, run its pipelines over it, stop the world.

The home remembers which world filled it. Another world (other seed, scale or songs) starts from an empty home, because
its customers and sales are not those of the shop that was loaded before; a home that no demo made is never emptied.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from deftunes_cli.workspace import Workspace
from deftunes_contract.errors import RetryableError, UsageError
from deftunes_contract.registry import registry
from deftunes_simulator.config import WorldConfig
from deftunes_simulator.errors import ConfigError, DatabaseUnavailable, WorldUnavailable
from deftunes_simulator.world import World, start_world

WORLD = "world.json"
SMALL_SCALE = 100_000
"""Items a month up to which a JVM that starts fast beats one that computes fast."""


def world_config(**wishes: Any) -> WorldConfig:
    """The world to start. Raises UsageError when there can be no such world."""
    try:
        return WorldConfig(**wishes)
    except ConfigError as impossible:
        raise UsageError(f"{impossible}; see deftunes simulate faults and deftunes simulate serve --help") from None


def prepare(home: Workspace, config: WorldConfig) -> None:
    """Empty the home if an earlier demo filled it from another world. Raises UsageError for a home of real data."""
    mark = home.root / WORLD
    now = json.dumps(asdict(config), default=str, indent=2, sort_keys=True)
    if mark.exists() and mark.read_text(encoding="utf-8") != now:
        shutil.rmtree(home.root)
    elif home.lake.exists() and not mark.exists():
        raise UsageError(
            f"{home.root} holds data that no demo made; the demo will not touch it. "
            "Name another folder: DEFTUNES_HOME=/tmp/deftunes-demo"
        )
    home.root.mkdir(parents=True, exist_ok=True)
    mark.write_text(now, encoding="utf-8")


def shop_name(config: WorldConfig) -> str:
    """A lasting name of the world's shop, whose ports change from start to start; another world is another shop."""
    songs = "" if config.songs_csv is None else f"-{hashlib.sha256(str(config.songs_csv).encode()).hexdigest()[:8]}"
    return f"demo-seed-{config.seed}-scale-{config.scale}{songs}"


def reachable(pipelines: Iterable[str], environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The pipelines whose sources the environment names: the world has no sources for contracts that somebody added."""
    known = registry()

    def is_named(server: str) -> bool:
        return any(environment.get(f"DEFTUNES_{server.upper()}_{end}") for end in ("URL", "DSN", "DSN_FILE"))

    return tuple(
        pipeline
        for pipeline in pipelines
        if all(is_named(known.entity(name).server) for name in known.pipelines[pipeline])
    )


@contextmanager
def world(home: Workspace, config: WorldConfig) -> Iterator[World]:
    """The running world, named to the stages by their own settings; stopped at the end, whatever happened."""
    prepare(home, config)
    try:
        running = start_world(config, home.world)
    except ConfigError as impossible:
        raise UsageError(str(impossible)) from None
    except (DatabaseUnavailable, WorldUnavailable) as away:
        raise RetryableError(f"the simulated shop did not start: {away}") from None
    with running:
        if config.scale <= SMALL_SCALE:
            os.environ.setdefault("DEFTUNES_SPARK_SMALL", "true")
        os.environ.setdefault("DEFTUNES_SHOP", shop_name(config))
        os.environ["DEFTUNES_API_URL"] = running.api_url
        os.environ["DEFTUNES_SONGS_DSN"] = running.songs_dsn
        yield running
