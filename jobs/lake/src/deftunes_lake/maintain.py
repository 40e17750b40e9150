"""Maintenance: small files become large, old snapshots and stray files go; what is public stays row for row the same.

Data flow: table → the same table. What protects it: every step is one of Iceberg's own, tags and branches protect the
snapshots that they stand on, files younger than three days are never strays (a running write owns them), and lost
races are tried again. Run alone: `deftunes-lake maintain --dry-run`, then without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from pyspark.sql import SparkSession

from deftunes_contract.entity import ENTITIES
from deftunes_contract.exits import Temporary
from deftunes_contract.settings import LakeSettings
from deftunes_lake.native import JAVA_ERRORS, Conflict, NoTable, causes, first_line, load_table
from deftunes_lake.races import until_settled
from deftunes_lake.refs import change_refs
from deftunes_lake.snapshots import MAIN, refs_of, snapshot_of
from deftunes_lake.tables import CATALOG, QUARANTINE, table_name

LEAST_ORPHAN_DAYS = 3
"""A file of no snapshot may belong to a write that has not committed yet; none takes three days."""
SMALL_FILE_BYTES = 384 << 20
"""Three quarters of the target size of 512 MiB, which is where Iceberg begins to call a file small."""
LEAST_SMALL_FILES = 5
"""So many small files in one partition are worth rewriting (Iceberg's own default)."""
RUN_BRANCHES = ("run_", "rollback_")


@dataclass(frozen=True)
class Maintained:
    """What was done to one table, or with a dry run what would be.

    compacted: data files rewritten (dry run: small files in partitions that have enough of them). branches: names of
    dropped branches. snapshots, orphans: how many were removed.
    """

    table: str
    compacted: int
    manifests: int
    branches: tuple[str, ...]
    snapshots: int
    orphans: int

    def __str__(self) -> str:
        return (
            f"{self.table}: {self.compacted} files compacted, {self.manifests} manifests rewritten, "
            f"{len(self.branches)} branches dropped, {self.snapshots} snapshots expired, {self.orphans} strays removed"
        )


def maintain(
    spark: SparkSession,
    settings: LakeSettings,
    *,
    older_than_days: int = 7,
    dry_run: bool = False,
    when_quiet: bool = False,
) -> tuple[Maintained, ...]:
    """Maintain the entity tables and the quarantine; tables that are not there are named and left out.

    Run branches and unprotected snapshots older than `older_than_days` go; strays need at least three days. Raises
    Temporary when others kept winning, and with `when_quiet` before anything is touched when a run's branch is open:
    younger than that, or still empty, when its age cannot be told.
    """
    log = structlog.get_logger("lake")
    if when_quiet:
        _refuse_open_branches(spark, settings, datetime.now(UTC) - timedelta(days=older_than_days))
    done: list[Maintained] = []
    for entity in (*ENTITIES, QUARANTINE):
        name = table_name(settings, entity)
        try:
            result = _maintain(spark, name, older_than_days, dry_run=dry_run)
        except NoTable:
            log.warning(f"{name} is not there, so there is nothing to maintain; run deftunes-lake create")
            continue
        log.info(f"{'would have: ' if dry_run else ''}{result}")
        done.append(result)
    return tuple(done)


def _refuse_open_branches(spark: SparkSession, settings: LakeSettings, old: datetime) -> None:
    for entity in (*ENTITIES, QUARANTINE):
        name = table_name(settings, entity)
        try:
            table = load_table(spark, name)
        except NoTable:
            continue
        branches = refs_of(table).branches
        for branch, head in sorted(branches.items()):
            snapshot = snapshot_of(table, head)
            young = snapshot is not None and snapshot.committed_at >= old
            if branch.startswith(RUN_BRANCHES) and (young or head == branches.get(MAIN)):
                raise Temporary(
                    f"expected no open branch, found {branch} on {name}: wait until its run has published, or clear "
                    "that run; call deftunes-lake maintain without --when-quiet when nobody will"
                )


def _maintain(spark: SparkSession, name: str, days: int, *, dry_run: bool) -> Maintained:
    load_table(spark, name)  # raises NoTable, where SQL would speak of its metadata table
    now = datetime.now(UTC)
    old, stray = now - timedelta(days=days), now - timedelta(days=max(days, LEAST_ORPHAN_DAYS))
    # rewriting first: what it makes superfluous ages from today on
    compacted, manifests = _compact(spark, name, dry_run=dry_run)
    branches = until_settled(f"dropping branches of {name}", lambda: _drop_branches(spark, name, old, dry_run=dry_run))
    return Maintained(
        table=name,
        compacted=compacted,
        manifests=manifests,
        branches=branches,
        snapshots=_expire(spark, name, old, dry_run=dry_run),
        orphans=_remove_orphans(spark, name, stray, dry_run=dry_run),
    )


def _compact(spark: SparkSession, name: str, *, dry_run: bool) -> tuple[int, int]:
    """Rewrite small data files, then manifests; returns how many of each went into the rewrite."""
    small = spark.sql(
        f"SELECT coalesce(sum(n), 0) AS files FROM (SELECT count(*) AS n FROM {name}.files "
        f"WHERE content = 0 AND file_size_in_bytes < {SMALL_FILE_BYTES} GROUP BY partition) "
        f"WHERE n >= {LEAST_SMALL_FILES}"
    ).collect()[0]["files"]
    if dry_run:
        return int(small), 0
    rewritten = 0
    if small:
        options = f"map('min-input-files', '{LEAST_SMALL_FILES}')"
        rewritten = _call(spark, "rewrite_data_files", name, {"options": options})[0]["rewritten_data_files_count"]
    manifests = _call(spark, "rewrite_manifests", name, {})[0]["rewritten_manifests_count"]
    return int(rewritten), int(manifests)


def _drop_branches(spark: SparkSession, name: str, old: datetime, *, dry_run: bool) -> tuple[str, ...]:
    """Drop branches that runs left behind.

    An empty branch has the age of main's head, so a young one may go with the old; the run that just began it then
    ends with Temporary and begins it again.
    """
    table = load_table(spark, name)
    dropped = []
    for branch, head in sorted(refs_of(table).branches.items()):
        snapshot = snapshot_of(table, head)
        if branch.startswith(RUN_BRANCHES) and snapshot is not None and snapshot.committed_at < old:
            dropped.append(branch)
    if dropped and not dry_run:
        change_refs(table, branches=dict.fromkeys(dropped))
    return tuple(dropped)


def _expire(spark: SparkSession, name: str, old: datetime, *, dry_run: bool) -> int:
    table = load_table(spark, name)
    expiring = table.expireSnapshots().expireOlderThan(int(old.timestamp() * 1000)).retainLast(1)
    count = len(expiring.apply())
    if count and not dry_run:
        _call(spark, "expire_snapshots", name, {"older_than": _timestamp(old), "retain_last": "1"})
    return count


def _remove_orphans(spark: SparkSession, name: str, stray: datetime, *, dry_run: bool) -> int:
    # without prefix_listing S3 is listed folder by folder through Hadoop
    on_s3 = str(load_table(spark, name).location()).startswith("s3")
    arguments = {"older_than": _timestamp(stray), "dry_run": str(dry_run).lower(), "prefix_listing": str(on_s3).lower()}
    return len(_call(spark, "remove_orphan_files", name, arguments))


def _timestamp(moment: datetime) -> str:
    return f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S.%f}'"


def _call(spark: SparkSession, procedure: str, name: str, arguments: Mapping[str, str]) -> list[Any]:
    """One of Iceberg's procedures on a table; lost races are tried again."""
    given = ", ".join(f"{key} => {value}" for key, value in arguments.items())
    statement = f"CALL {CATALOG}.system.{procedure}(table => '{name}'"
    statement += f", {given})" if given else ")"

    def step() -> list[Any]:
        try:
            return spark.sql(statement).collect()
        except JAVA_ERRORS as error:
            if causes(error) & {"CommitFailedException", "ValidationException"}:
                raise Conflict(first_line(error)) from error
            raise

    return until_settled(f"{procedure} of {name}", step)
