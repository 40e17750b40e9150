"""Maintenance: small files become large, old snapshots and orphan files go; what is public stays row for row the same.

Data flow: table → the same table. What protects it: every step is one of Iceberg's own; tags and branches protect the
snapshots that they stand on; files younger than three days are never orphans (a running write owns them); more orphan
files than killed writes leave stop everything before it begins (orphans.py); commit conflicts are tried again. Run
alone: `deftunes-lake maintain --dry-run`, then without.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from pyspark.sql import SparkSession

from deftunes_contract.entity import QUARANTINE
from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.registry import registry
from deftunes_contract.settings import LakeSettings
from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.folders import had_branch
from deftunes_lake.iceberg_java import NoTable, load_table
from deftunes_lake.orphans import Orphans, call, find_orphans, remove_orphans, sql_timestamp
from deftunes_lake.quarantine_cleanup import RunRows, remove_unpublished
from deftunes_lake.refs import update_refs
from deftunes_lake.snapshots import MAIN, refs_of, snapshot_of
from deftunes_lake.tables import table_name

LEAST_DAYS = 1
"""Younger snapshots and branches stay: all stages of a run together may take 14 hours (activeDeadlineSeconds in the
chart's values.yaml)."""
LEAST_ORPHAN_DAYS = 3
"""A file of no snapshot may belong to a write that has not committed yet; none takes three days."""
SMALL_FILE_BYTES = 384 << 20
"""Three quarters of the target size of 512 MiB, which is where Iceberg begins to call a file small."""
LEAST_SMALL_FILES = 5
"""So many small files in one partition are worth rewriting (Iceberg's own default)."""
RUN_BRANCHES = ("run_", "rollback_")


@dataclass(frozen=True)
class MaintenanceResult:
    """What was done to one table, or with a dry run what would be.

    compacted: data files rewritten (dry run: small files in partitions that have enough of them). branches: names of
    dropped branches. snapshots, orphans: how many were removed. files: all that lie in the table's folder, counted when
    there are orphans. suspicious: why the orphans would not be removed (dry run only). unpublished: removed rows of
    the quarantine that belong to no public run.
    """

    table: str
    compacted: int
    manifests: int
    branches: tuple[str, ...]
    snapshots: int
    orphans: int
    files: int = 0
    suspicious: str = ""
    unpublished: int = 0

    def __str__(self) -> str:
        of = f" of {self.files} files" if self.files else ""
        refused = f"; refused, {self.suspicious}" if self.suspicious else ""
        unpublished = f", {self.unpublished} rows of unpublished runs removed" if self.unpublished else ""
        return (
            f"{self.table}: {self.compacted} files compacted, {self.manifests} manifests rewritten, "
            f"{len(self.branches)} branches dropped, {self.snapshots} snapshots expired, "
            f"{self.orphans} orphan files removed{of}{unpublished}{refused}"
        )


def maintain(
    spark: SparkSession,
    settings: LakeSettings,
    *,
    older_than_days: int = 7,
    dry_run: bool = False,
    require_idle: bool = False,
    allow_orphans: Collection[str] = (),
) -> tuple[MaintenanceResult, ...]:
    """Maintain the entity tables and the quarantine; tables that are not there are named and left out.

    Run branches, unprotected snapshots and quarantine rows of unpublished runs older than `older_than_days` go; orphan
    files need three days. Raises
    RetryableError when other writers kept committing first, and with `require_idle` before anything is touched when a
    run's branch is open: younger than that, or still empty, when its age is unknown. Raises DataRejected before
    anything is touched when the orphan files of a table that is not in `allow_orphans` are too many for killed writes,
    or are another table's history.
    """
    log = structlog.get_logger("lake")
    older_than_days = max(older_than_days, LEAST_DAYS)
    old = datetime.now(UTC) - timedelta(days=older_than_days)
    if require_idle:
        _check_idle(spark, settings, old)
    orphan_limit = datetime.now(UTC) - timedelta(days=max(older_than_days, LEAST_ORPHAN_DAYS))
    orphans = _find_orphans(spark, settings, orphan_limit)
    refused = {entity: o for entity, o in orphans.items() if o.suspicious and entity not in allow_orphans}
    if refused and not dry_run:
        raise DataRejected(_too_many_orphans(refused))
    done: list[MaintenanceResult] = []
    for entity in registry().tables:
        name = table_name(settings, entity)
        unpublished: tuple[RunRows, ...] = ()
        try:
            if (
                entity == QUARANTINE
            ):  # the last table: by now branches and snapshots of the others are what they will be
                dropped = {table.table: table.branches for table in done}
                unpublished = remove_unpublished(spark, settings, old, dropped, dry_run=dry_run)
            result = _maintain(spark, name, old, orphans.get(entity, Orphans(0, 0)), orphan_limit, dry_run=dry_run)
        except NoTable:
            log.warning(f"{name} is not there, so there is nothing to maintain; run deftunes-lake create")
            continue
        if entity in refused:
            result = replace(result, suspicious=refused[entity].suspicious)
        result = replace(result, unpublished=sum(run.rows for run in unpublished))
        log.info(f"{'would have: ' if dry_run else ''}{result}")
        done.append(result)
    return tuple(done)


def _find_orphans(spark: SparkSession, settings: LakeSettings, older_than: datetime) -> dict[str, Orphans]:
    """Entity → its orphans; tables that are not there are left out."""
    found: dict[str, Orphans] = {}
    for entity in registry().tables:
        name = table_name(settings, entity)
        try:
            load_table(spark, name)  # raises NoTable, where SQL would speak of its metadata table
        except NoTable:
            continue
        found[entity] = find_orphans(spark, name, older_than)
    return found


def _too_many_orphans(refused: Mapping[str, Orphans]) -> str:
    reasons = "; ".join(f"{entity}: {orphans.suspicious}" for entity, orphans in refused.items())
    flags = " ".join(f"--allow-orphans {entity}" for entity in refused)
    return (
        f"{reasons}. Nothing was changed in any table: such files are what a lost catalog, or one from an old backup, "
        f"leaves without an owner. Restore the catalog first; if they are not needed, look at deftunes-lake maintain "
        f"--dry-run and call deftunes-lake maintain {flags}"
    )


def _check_idle(spark: SparkSession, settings: LakeSettings, old: datetime) -> None:
    for entity in registry().tables:
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
                raise RetryableError(
                    f"expected no open branch, found {branch} on {name}: wait until its run has published, or clear "
                    "that run; call deftunes-lake maintain without --when-quiet when the run will not go on"
                )


def _maintain(
    spark: SparkSession, name: str, old: datetime, orphans: Orphans, orphan_limit: datetime, *, dry_run: bool
) -> MaintenanceResult:
    load_table(spark, name)  # raises NoTable, where SQL would speak of its metadata table
    # rewriting first: what it makes superfluous ages from today on
    compacted, manifests = _compact(spark, name, dry_run=dry_run)
    branches = retry_on_conflict(
        f"dropping branches of {name}", lambda: _drop_branches(spark, name, old, dry_run=dry_run)
    )
    return MaintenanceResult(
        table=name,
        compacted=compacted,
        manifests=manifests,
        branches=branches,
        snapshots=_expire(spark, name, old, dry_run=dry_run),
        orphans=orphans.found
        if dry_run or not orphans.found
        else len(remove_orphans(spark, name, orphan_limit, dry_run=False)),
        files=orphans.total,
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
        rewritten = call(spark, "rewrite_data_files", name, {"options": options})[0]["rewritten_data_files_count"]
    manifests = call(spark, "rewrite_manifests", name, {})[0]["rewritten_manifests_count"]
    return int(rewritten), int(manifests)


def _drop_branches(spark: SparkSession, name: str, old: datetime, *, dry_run: bool) -> tuple[str, ...]:
    """Drop branches that runs left behind.

    An empty branch has the age of main's head, so it goes only if it stood there already that long ago. One that was
    left then and begun anew since still goes; its run ends with RetryableError and begins it again.
    """
    table = load_table(spark, name)
    branches = refs_of(table).branches
    dropped = []
    for branch, head in sorted(branches.items()):
        snapshot = snapshot_of(table, head)
        aged = snapshot is not None and snapshot.committed_at < old
        if aged and branch.startswith(RUN_BRANCHES):
            empty = head == branches.get(MAIN)
            dropped += [branch] if not empty or had_branch(spark, table, branch, old) else []
    if dropped and not dry_run:
        update_refs(table, branches=dict.fromkeys(dropped))
    return tuple(dropped)


def _expire(spark: SparkSession, name: str, old: datetime, *, dry_run: bool) -> int:
    table = load_table(spark, name)
    expiring = table.expireSnapshots().expireOlderThan(int(old.timestamp() * 1000)).retainLast(1)
    count = len(expiring.apply())
    if count and not dry_run:
        call(spark, "expire_snapshots", name, {"older_than": sql_timestamp(old), "retain_last": "1"})
    return count
