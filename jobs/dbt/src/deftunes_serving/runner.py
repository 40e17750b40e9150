"""dbt in this process: one import and one parse, however many builds follow.

Data flow: the project's files -> parsed manifest (kept) -> a copy of it per command -> dbt's results.

dbt keeps global state (flags, adapters, connections), so commands run one at a time. It writes below `home` only; the
project may be read-only. dbt is imported when the first command needs it: it takes two seconds.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from deftunes_contract.contract_files import SETTING
from deftunes_contract.errors import UsageError
from deftunes_serving.atomic_file import COPY_PREFIX
from deftunes_serving.project import PARTS, is_assembled

SAY_EVERY_SECONDS = 3.0

PARSE_ENV = {"DEFTUNES_DBT_FILE": f"{COPY_PREFIX}.duckdb", "DEFTUNES_DBT_THREADS": "2"}
"""A profile whose values differ from run to run makes dbt parse everything again; only the database's name matters."""

_ONE_AT_A_TIME = threading.RLock()
_PARSED: dict[tuple[Path, str, str | None], tuple[object, Any]] = {}
"""(project, target, schema of a documentation) -> state of the project's files, its manifest."""

log = structlog.get_logger("deftunes-dbt")


@dataclass(frozen=True)
class DbtProject:
    """One project for one target.

    `home` gets dbt's target/ and logs/; `environment` is what profiles.yml asks for. The database's name is part of
    what is parsed, so DEFTUNES_DBT_FILE must have COPY_PREFIX as its first name.
    """

    folder: Path
    home: Path
    target: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: str, *options: str, variables: Mapping[str, object] | None = None) -> Sequence[Any]:
        """Run one dbt command (`build`, `source freshness`) with vars; returns dbt's results, one per node.

        Whether nodes succeeded is not looked at here. Raises what dbt raised when it could not run at all, UsageError
        for options that dbt does not accept.
        """
        with _ONE_AT_A_TIME:
            # dbt writes compiled SQL into the nodes it is handed and trips over it when it is handed them again
            manifest = self._parsed().deepcopy()
            with _environment(self.environment):
                try:
                    done = self._invoke(manifest, command, *options, "--vars", json.dumps(variables or {}, default=str))
                    return list(getattr(done, "results", None) or [])
                finally:
                    _close_connections()

    def models(self) -> dict[str, Any]:
        """Name -> node of every model that has a relation; read only."""
        with _ONE_AT_A_TIME:
            nodes = self._parsed().nodes.values()
        return {
            node.name: node
            for node in nodes
            if node.resource_type == "model" and node.config.materialized != "ephemeral"
        }

    def _parsed(self) -> Any:
        """The manifest, parsed once per state of the project's files."""
        schema = self.environment.get("DEFTUNES_DBT_SCHEMA")
        which, state = (self.folder, self.target, schema), self._fingerprint()
        if which not in _PARSED or _PARSED[which][0] != state:
            began = time.monotonic()
            with _environment({**PARSE_ENV, **({"DEFTUNES_DBT_SCHEMA": schema} if schema else {})}):
                _PARSED[which] = (state, self._parse())
            log.debug(f"parsed the dbt project in {time.monotonic() - began:.1f} s", project=str(self.folder))
        return _PARSED[which][1]

    def _parse(self) -> Any:
        """The manifest of the project's files. Raises UsageError when files that somebody added do not parse."""
        from dbt_common.exceptions import DbtBaseException

        try:
            return self._invoke(None, "parse")
        except DbtBaseException as error:
            if not is_assembled(self.folder):
                raise
            raise UsageError(f"{SETTING}: the dbt project cannot be parsed: {' '.join(str(error).split())}") from None

    def _fingerprint(self) -> tuple[object, ...]:
        files = [self.folder / "dbt_project.yml"]
        for part in PARTS:
            files += sorted(path for path in (self.folder / part).rglob("*") if path.is_file())
        return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files)

    def _invoke(self, manifest: Any, command: str, *options: str) -> Any:
        from dbt.cli.exceptions import DbtUsageException
        from dbt.cli.main import dbtRunner

        # what dbt would print goes to its log file; people get this package's own lines
        quiet = ("--quiet", "--no-use-colors", "--log-level", "none", "--log-level-file", "info")
        # its JSON files are what a documentation site shows; nothing else reads them
        files = () if command.startswith("docs") else ("--no-write-json",)
        # dbt's partial parse is kept per target: another target's profile would throw it away
        places = ("--target-path", str(self.home / self.target), "--log-path", str(self.home / "logs"))
        project = ("--project-dir", str(self.folder), "--profiles-dir", str(self.folder / "profiles"))
        _patch_dbt_flag_lookup()
        progress = _Progress()
        runner = dbtRunner(manifest=manifest, callbacks=[progress])
        done = runner.invoke([*quiet, *files, *command.split(), *project, *places, "--target", self.target, *options])
        if progress.unmatched:
            raise UsageError(f"--select: the dbt project has nothing called {', '.join(progress.unmatched)}")
        if isinstance(done.exception, DbtUsageException):
            raise UsageError(f"dbt {command}: {done.exception}") from None
        if done.exception is not None:
            raise done.exception
        return done.result


def _patch_dbt_flag_lookup() -> None:
    """Keep dbt from reading the source text of every frame on the stack, thirty times a command, in vain.

    It looks for the module that brings a behaviour flag, to name it in a warning, even where the flag names it itself
    (dbt_common 1.39, behavior_flags.py). The more modules a process has loaded, the longer: up to four fifths of a
    build after Spark and Great Expectations.
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")  # type: ignore[method-assign]


class _Progress:
    """Listens to dbt's events: a line every few seconds while it works through its nodes, and selectors in vain."""

    def __init__(self) -> None:
        self.said, self.finished = time.monotonic(), 0
        self.unmatched: list[str] = []

    def __call__(self, event: Any) -> None:
        if event.info.name == "NoNodesForSelectionCriteria":
            self.unmatched.append(str(event.data.spec_raw))
        if event.info.name != "NodeFinished":
            return
        self.finished += 1
        if (now := time.monotonic()) - self.said >= SAY_EVERY_SECONDS:
            self.said = now
            log.info(f"{self.finished} models and tests done", last=event.data.node_info.node_name)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """What profiles.yml reads with env_var, for the time of one command."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _close_connections() -> None:
    """Close what dbt-duckdb keeps open after a command: only then is the database's file complete."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    with DuckDBConnectionManager._LOCK:
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager._ENV = None
