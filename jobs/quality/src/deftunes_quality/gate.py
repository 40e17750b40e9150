"""The gate over several entities of one run: all are judged and told before the exit code is decided.

Data flow: branches of the run → `quality/<entity>/ingest_on=D/run=R/result.json` and its report; no table is written.
What protects the output: a result is written whatever happens, also when the gate itself breaks (then closed), and
it names the one snapshot that was judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from deftunes_contract.errors import DataRejected, RetryableError
from deftunes_contract.gate import GateResult, write_gate_result
from deftunes_contract.interval import Interval
from deftunes_contract.registry import load
from deftunes_lake.tables import table_name
from deftunes_quality.decision import broken_gate
from deftunes_quality.desk import Desk
from deftunes_quality.refusal import lifted, opening, refusal, warning
from deftunes_quality.staged import Staged, find_staged


def pass_gates(desk: Desk, entities: Sequence[str], interval: Interval, run_id: str) -> str:
    """Judge what a run staged of an interval; returns one sentence when every gate is open.

    Raises, after all entities were judged, in this order: what broke a gate (a bug), DataRejected when a gate closed,
    RetryableError when a branch is missing.
    """
    opened: list[str] = []
    closed: list[str] = []
    missing: list[str] = []
    bugs: list[Exception] = []
    for name in entities:
        try:
            staged = find_staged(desk.spark, table_name(desk.settings, name), load(name), interval, run_id)
            result = judge_one(desk, staged)
        except RetryableError as absent:
            missing.append(str(absent))
        except Exception as bug:
            bugs.append(bug)
        else:
            (opened if result.passed else closed).append((opening if result.passed else refusal)(staged, result))
    if bugs:
        raise bugs[0]
    if closed:
        raise DataRejected(". ".join(closed + missing))
    if missing:
        raise RetryableError(". ".join(missing))
    return "; ".join(opened)


def judge_one(desk: Desk, staged: Staged) -> GateResult:
    """Judge one entity and write its result. Whatever goes wrong meanwhile closes the gate and is raised again."""
    log = structlog.get_logger("deftunes-quality")
    try:
        # 5 s of Great Expectations, only when there is something to judge
        from deftunes_quality.judge import judge_staged

        result = judge_staged(desk, staged)
    except Exception as fault:
        where = write_gate_result(desk.store, broken_gate(staged, fault))
        log.exception(f"{staged.name}: the gate broke and is closed; nothing was published", result=where)
        raise
    for rule in result.rules:
        if rule.skipped:
            log.info(f"{staged.name}: {rule.id} is not judged: {rule.skipped}")
        elif not rule.passed and rule not in result.closing:
            log.warning(warning(staged, rule))
        elif rule.allowed:
            log.warning(f"{staged.name}: {lifted(rule)}")
        elif rule.note:
            log.warning(f"{staged.name}: {rule.id} holds, but {rule.note}")
    where = write_gate_result(desk.store, result)
    tell = log.info if result.passed else log.error
    tell((opening if result.passed else refusal)(staged, result), result=where, report=result.data_docs)
    return result
