"""Compare the figures of one interval, hop by hop: pure values in, disagreements out.

source ─► landed ─► published + quarantined ─► facts. Where a snapshot says what it wrote, a disagreement is pinned to
the hop that changed; the sum over hops is compared as well when each of them agrees with its own account.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from deftunes_contract.interval import Interval
from deftunes_contract.provisional import FLAG as PARTIAL
from deftunes_contract.provisional import advice
from deftunes_contract.receipt import Receipt
from deftunes_serving.verify.landing_recount import Recount
from deftunes_serving.verify.model import Discrepancy, Figures, IntervalCheck, State
from deftunes_serving.verify.snapshots import Published


@dataclass(frozen=True)
class Evidence:
    """All that is known of one entity and interval. facts: None where there is no star or the entity has no facts."""

    entity: str
    ingest_on: date
    receipt: Receipt | None
    landed: Recount | None
    published: Published | None
    public: Figures
    quarantined: Figures
    facts: Figures | None

    @property
    def interval(self) -> Interval:
        """The month."""
        return Interval.of_ingest_on(self.ingest_on)

    @property
    def subject(self) -> str:
        """`sessions 2020-01`."""
        return f"{self.entity} {self.interval.month}"

    @property
    def source(self) -> Figures | None:
        """What extract counted."""
        return None if self.receipt is None else Figures(units=self.receipt.units, amount=self.receipt.amount)

    @property
    def state(self) -> State:
        """How far the interval has come."""
        if self.published is None:
            return State.PENDING if self.receipt is not None else State.UNEXPLAINED
        newer = self.receipt is not None and not self.receipt.is_source_of(self.published.summary)
        return State.PENDING if newer else State.PUBLISHED

    @property
    def is_public(self) -> bool:
        """Whether a published snapshot accounts for the interval."""
        return self.published is not None

    @property
    def provisional(self) -> bool:
        """Whether what is public, or what waits where nothing is, was read before the month was over."""
        if self.published is not None:
            return self.published.summary.partial
        return self.receipt is not None and self.receipt.partial

    @property
    def check(self) -> IntervalCheck:
        """The figures as they go into the report."""
        return IntervalCheck(
            entity=self.entity,
            month=self.interval.month,
            ingest_on=self.ingest_on,
            state=self.state,
            provisional=self.provisional,
            source=self.source,
            landed=None if self.landed is None else self.landed.figures,
            published=self.public if self.is_public or self.public.units else None,
            quarantined=self.quarantined if self.is_public else None,
            fact=self.facts if self.facts is not None and (self.is_public or self.facts.units) else None,
        )


def pending(evidence: Evidence) -> str | None:
    """A sentence on a delivery that waits, None when none does."""
    if evidence.state is not State.PENDING or evidence.receipt is None:
        return None
    what = "the delivery differs from the one that is public" if evidence.is_public else "delivered, not public yet"
    start, end = evidence.interval.start, evidence.interval.end
    return (
        f"{evidence.subject}: {what} (landed {evidence.receipt.landed_at:%Y-%m-%d %H:%M} UTC, run "
        f"{evidence.receipt.run_id}); to publish it, run deftunes run --start {start} --end {end}"
        f"{f' {PARTIAL}' if evidence.receipt.partial else ''}"
    )


def provisional(evidence: Evidence, now: datetime) -> str | None:
    """A sentence on a month that is not known whole, None when it is. now: with its zone."""
    return f"{evidence.subject}: {advice(evidence.interval, now)}" if evidence.provisional else None


def faults(evidence: Evidence) -> tuple[Discrepancy, ...]:
    """Every disagreement of one interval."""
    return (*_at_landing(evidence), *_at_publication(evidence), *_at_facts(evidence))


def _at_landing(evidence: Evidence) -> Iterator[Discrepancy]:
    interval = evidence.interval
    again = f"run deftunes-extract {evidence.entity} --start {interval.start} --end {interval.end} again"
    if evidence.receipt is None:
        if evidence.is_public:
            yield _fault(
                evidence,
                "delivery",
                "the delivery that was published",
                "no receipt",
                "in the landing zone",
                f"restore it, or {again} and publish the month again",
            )
        return
    if evidence.landed is None:
        return
    yield from evidence.landed.faults
    if not evidence.landed.faults and evidence.landed.figures != evidence.source:
        yield _fault(
            evidence,
            "landed",
            f"{evidence.source} (receipt)",
            f"{evidence.landed.figures}",
            "in the landed objects",
            f"extract and recount disagree: {again} and report it if it stays",
        )


def _at_publication(evidence: Evidence) -> Iterator[Discrepancy]:
    public = evidence.public
    replay = f"publish the month again: deftunes run --start {evidence.interval.start} --end {evidence.interval.end}"
    if evidence.published is None:
        if public.units:
            yield _fault(
                evidence,
                "published",
                "no rows, as no interval tag names this partition",
                f"{public}",
                f"on main of {evidence.entity}",
                f"somebody wrote past the gate; {replay}",
            )
        return
    summary = evidence.published.summary
    written = Figures(units=summary.rows, amount=summary.amount)
    refused = Figures(units=summary.quarantined_units, amount=summary.quarantined_amount)
    pinned = False
    if public != written:
        pinned = True
        yield _fault(
            evidence,
            "published",
            f"{written} (as the published snapshot says)",
            f"{public}",
            f"on main of {evidence.entity}",
            replay,
        )
    if evidence.quarantined != refused:
        pinned = True
        yield _fault(
            evidence,
            "quarantined",
            f"{refused} (as the published snapshot says)",
            f"{evidence.quarantined}",
            f"in quarantine under run {summary.run_id}",
            replay,
        )
    if pinned or evidence.state is State.PENDING:
        return
    landed = evidence.landed.figures if evidence.landed is not None else None
    accounted = public + evidence.quarantined
    if landed is not None and landed != accounted:
        yield _fault(
            evidence,
            "landed = published + quarantined",
            f"{landed} (landed)",
            f"{accounted}",
            f"published ({public}) and quarantined ({evidence.quarantined}) together",
            replay,
        )


def _at_facts(evidence: Evidence) -> Iterator[Discrepancy]:
    if evidence.facts is None or evidence.facts == evidence.public:
        return
    found = f"{evidence.facts}" if evidence.facts.units else "an interval that is published and not yet in serving"
    yield _fault(
        evidence,
        "fact",
        f"{evidence.public} (published)",
        found,
        f"in fact_session where ingest_on = {evidence.ingest_on}",
        "run deftunes-dbt build",
    )


def _fault(evidence: Evidence, hop: str, expected: str, found: str, where: str, advice: str) -> Discrepancy:
    return Discrepancy(hop=hop, subject=evidence.subject, expected=expected, found=found, where=where, advice=advice)
