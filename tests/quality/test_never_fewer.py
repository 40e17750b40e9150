"""Whatever a source does to a month that is run again, the gate opens only when nearly all of it is still there."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from deftunes_contract.allowances import Allowances, Guard
from deftunes_contract.interval import Interval
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.registry import load
from deftunes_quality.checks import ValidationContext
from deftunes_quality.interval_checks import restatement, same_source
from deftunes_quality.interval_under_test import PublicState
from deftunes_quality.metrics import Quarantined
from deftunes_quality.restatement import Restatement

SESSIONS, MONTH = load("sessions"), Interval.of_month("2020-01")
MONTHS = st.dictionaries(st.integers(0, 60), st.decimals("0.33", "1.85", places=2), min_size=1, max_size=40)
Rows = dict[int, Decimal]


def context_of(public: Rows, staged: Rows, source: str = "http://a/sessions", *allowed: Guard) -> ValidationContext:
    """What a gate would measure of these rows (key → price)."""
    lost = public.keys() - staged.keys()
    summary = LoadMetrics(
        entity="sessions", ingest_on=MONTH.ingest_on, run_id="r1", contract_version=SESSIONS.version, receipt="1",
        landed_records=len(staged), landed_units=len(staged), landed_amount=sum(staged.values(), Decimal(0)),
        rows=len(staged), amount=sum(staged.values(), Decimal(0)), quarantined_units=0, quarantined_amount=Decimal(0),
        source=source,
    )  # fmt: skip
    before = summary.model_copy(update={"source": "http://a/sessions", "rows": len(public)})
    return ValidationContext(
        entity=SESSIONS, interval=MONTH, staged=summary, previous=None, quarantined=Quarantined(0, Decimal(0), {}),
        faults={}, unmatched={}, public=PublicState(1, 1, len(public), before),
        restatement=Restatement(
            len(public), sum(public.values(), Decimal(0)), len(lost), sum((public[key] for key in lost), Decimal(0))
        ),
        known=len(public.keys() & staged.keys()) / len(staged) if staged else None,
        allowances=Allowances.parse((guard, ["sessions"]) for guard in allowed),
    )  # fmt: skip


def opens(check_of: object, rule_id: str, context: ValidationContext) -> bool:
    checks = check_of(SESSIONS.rule(rule_id), context)  # type: ignore[operator]
    return all(_within(check.metric, check.expectation.configuration.kwargs) for check in checks)


def _within(figure: float, bounds: dict[str, float | None]) -> bool:
    least, most = bounds.get("min_value"), bounds.get("max_value")
    return (least is None or figure >= least) and (most is None or figure <= most)


@given(public=MONTHS, staged=MONTHS)
def test_an_open_gate_has_kept_keys_rows_and_money(public: Rows, staged: Rows) -> None:
    if opens(restatement, "sessions_restatement", context_of(public, staged)):
        assert len(public.keys() - staged.keys()) * 20 <= len(public)
        assert len(staged) * 20 >= len(public) * 19
        assert float(sum(staged.values())) >= float(sum(public.values())) * 0.95 - 1e-9


@given(public=MONTHS, more=MONTHS)
def test_a_month_that_only_grew_passes(public: Rows, more: Rows) -> None:
    assert opens(restatement, "sessions_restatement", context_of(public, more | public))


@given(public=MONTHS, staged=MONTHS)
def test_another_source_passes_only_with_half_of_its_keys_known(public: Rows, staged: Rows) -> None:
    known = 2 * len(public.keys() & staged.keys()) >= len(staged)
    assert opens(same_source, "sessions_same_source", context_of(public, staged, "http://b/sessions")) == known
    assert opens(same_source, "sessions_same_source", context_of(public, staged))


@given(public=MONTHS, staged=MONTHS)
def test_a_lifted_guard_opens_and_is_recorded_only_when_it_was_needed(public: Rows, staged: Rows) -> None:
    closed = not opens(restatement, "sessions_restatement", context_of(public, staged))
    lifted = replace(context_of(public, staged), allowances=Allowances.parse([(Guard.SHRINK, ["sessions:2020-01"])]))
    assert opens(restatement, "sessions_restatement", lifted)
    (check,) = restatement(SESSIONS.rule("sessions_restatement"), lifted)
    assert (check.allowed is not None) == closed
