"""The gate over several entities of one run: all are validated and reported before the exit code is decided.

Data flow: branches of the run → `quality/<entity>/ingest_on=D/run=R/result.json` and its report; no table is written.
What protects the output: a result is written whatever happens, also when the gate itself breaks (then closed), and
it names the one snapshot that was validated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pyspark.sql import SparkSession

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.gate import GateResult, write_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.registry import load
from deftunes_contract.settings import LakeSettings
from deftunes_lake.tables import table_name
from deftunes_quality.gate_decision import failed_gate
from deftunes_quality.interval_under_test import StagedInterval, load_staged
from deftunes_quality.messages import closed_message, lifted, open_message, warn_message


@dataclass(frozen=True)
class GateContext:
    """The session, where the lake is, its store, and what the caller allows."""

    spark: SparkSession
    settings: LakeSettings
    store: ObjectStore
    allowances: Allowances = NONE_ALLOWED


def run_gates(gate: GateContext, entities: Sequence[str], interval: Interval, run_id: str) -> str:
    """Validate what a run staged of an interval; returns one sentence when every gate is open.

    Raises, after all entities were validated: what broke a gate (a bug), else DataRejected when a gate closed, else
    RetryableError when a branch is missing.
    """
    opened: list[str] = []
    closed: list[str] = []
    missing: list[str] = []
    bugs: list[Exception] = []
    for name in entities:
        try:
            staged = load_staged(gate.spark, table_name(gate.settings, name), load(name), interval, run_id)
            result = validate_entity(gate, staged)
        except RetryableError as absent:
            missing.append(str(absent))
        except Exception as bug:
            bugs.append(bug)
        else:
            (opened if result.passed else closed).append(
                (open_message if result.passed else closed_message)(staged, result)
            )
    if bugs:
        raise bugs[0]
    if closed:
        raise DataRejected(". ".join(closed + missing))
    if missing:
        raise RetryableError(". ".join(missing))
    return "; ".join(opened)


def validate_entity(gate: GateContext, staged: StagedInterval) -> GateResult:
    """Validate one entity and write its result. Whatever goes wrong meanwhile closes the gate and is raised again."""
    log = structlog.get_logger("deftunes-quality")
    try:
        # 5 s of Great Expectations, only when there is something to validate
        from deftunes_quality.validate import validate_interval

        result = validate_interval(gate, staged)
    except Exception as fault:
        where = write_gate_result(gate.store, failed_gate(staged, fault))
        log.exception(f"{staged.name}: the gate broke and is closed; nothing was published", result=where)
        raise
    for rule in result.rules:
        if rule.skipped:
            log.info(f"{staged.name}: {rule.id} is skipped: {rule.skipped}")
        elif not rule.passed and rule not in result.failed_rules:
            log.warning(warn_message(staged, rule))
        elif rule.allowed:
            log.warning(f"{staged.name}: {lifted(rule)}")
        elif rule.note:
            log.warning(f"{staged.name}: {rule.id} holds, but {rule.note}")
    where = write_gate_result(gate.store, result)
    log_at = log.info if result.passed else log.error
    log_at((open_message if result.passed else closed_message)(staged, result), result=where, report=result.data_docs)
    return result
