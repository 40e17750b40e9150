"""Moving branches and tags of a table, several at once, in ONE commit: readers see all of it or nothing.

What protects main: it is only ever fast-forwarded, Iceberg checks the ancestry against the state that it commits to,
and a commit of anybody else in between is a CommitConflict.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession

from deftunes_lake.commit_retry import retry_on_conflict
from deftunes_lake.iceberg_java import CommitConflict, first_line, load_table, translate_commit_errors
from deftunes_lake.snapshots import MAIN, Refs, is_ancestor, refs_of

NONE: Mapping[str, int | None] = {}


def update_refs(
    table: Any,
    *,
    forward_to: int | None = None,
    branches: Mapping[str, int | None] = NONE,
    tags: Mapping[str, int | None] = NONE,
) -> None:
    """Change refs of a loaded table in one commit.

    forward_to: the snapshot that main is fast-forwarded to. branches, tags: name → snapshot id, None removes (no
    error when it is gone). Raises CommitConflict when the table changed since it was loaded.
    """
    found = refs_of(table)
    change = table.manageSnapshots()
    try:
        if forward_to is not None:
            # Iceberg forwards to a branch, and a run's own could be moved by another process between looking and
            # moving; a branch that lives in this commit only stands on exactly this snapshot
            own = f"forward_{uuid.uuid4().hex}"
            change = change.createBranch(own, forward_to).fastForwardBranch(MAIN, own).removeBranch(own)
        for name, target in tags.items():
            if target is not None:
                change = change.replaceTag(name, target) if name in found.tags else change.createTag(name, target)
            elif name in found.tags:
                change = change.removeTag(name)
        for name, target in branches.items():
            if target is not None:
                known = name in found.branches
                change = change.replaceBranch(name, target) if known else change.createBranch(name, target)
            elif name in found.branches:
                change = change.removeBranch(name)
        with translate_commit_errors(f"branches and tags of {table.name()}"):
            change.commit()
    except IllegalArgumentException as error:
        # the table was refreshed under this change: a ref appeared, vanished, or main went another way
        raise CommitConflict(first_line(error)) from error


def fast_forward_main(
    spark: SparkSession,
    name: str,
    snapshot: int,
    tags: Callable[[Refs], Mapping[str, int | None]],
    stale_branches: Callable[[Refs], Iterable[str]],
) -> bool:
    """Let main be a snapshot that descends from it, with its tags, and drop the branches that led there: one commit.

    tags and stale_branches are called with the refs that main is moved from. Returns False when main has moved to where
    the snapshot does not descend from; conflicts with commits that leave main alone are tried again. Raises
    RetryableError.
    """

    def step() -> bool:
        table = load_table(spark, name)
        refs = refs_of(table)
        main = refs.branches[MAIN]
        if main == snapshot:
            # the same call, made twice at once, got there first
            return True
        if not is_ancestor(table, main, snapshot):
            return False
        update_refs(table, forward_to=snapshot, tags=tags(refs), branches=dict.fromkeys(stale_branches(refs)))
        return True

    return retry_on_conflict(f"moving main of {name}", step)
