"""The gate result: the hand-over from quality to publish, one JSON file per entity, interval and run.

It names the snapshot that was judged. Publish accepts that snapshot and no other, so rows that were staged after the
judgement cannot become public.
"""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from deftunes_contract.entity import Severity
from deftunes_contract.errors import DataRejected
from deftunes_contract.layout import quality_result
from deftunes_contract.names import PathPart, faults_of
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.redaction import redact

ALLOWED_BY = "allowed by "
"""Before the flag, wherever a sentence tells of a lifted rule."""


class RuleResult(BaseModel):
    """What one rule said of one interval.

    observed: what was found, as measured (None when the rule was skipped). expected: the rule in words, with its
    bounds. failing_count: rows (or keys) that broke it. examples: a few offending values, never personal ones.
    skipped: why the rule could not be judged, None when it was. allowed: the flag by which the caller let a broken rule
    pass, None when it was not needed. note: what a person should know of a rule that holds. overlay: what an overlay
    changed of the rule, in words, None when it changed nothing.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: str
    severity: Severity
    passed: bool
    observed: str | float | None
    expected: str
    failing_count: int = 0
    examples: tuple[str, ...] = ()
    skipped: str | None = None
    description: str = ""
    allowed: str | None = None
    note: str | None = None
    overlay: str | None = None


class GateResult(BaseModel):
    """The gate's decision on one staged snapshot. judged_at: UTC. data_docs: where people can read it, if written.

    replaces: the snapshot of the interval's publication that the staged rows were compared with, 0 when there was none,
    None in results of versions that did not compare. Publish refuses when another run published meanwhile.
    contract_digest: sha256 of the effective contract. overlay: the file that changed the contract, None when none did.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    entity: PathPart
    ingest_on: date
    run_id: PathPart
    table: str
    snapshot_id: int
    passed: bool
    judged_at: datetime
    rules: tuple[RuleResult, ...]
    data_docs: str | None = None
    replaces: int | None = None
    contract_digest: str = ""
    overlay: str | None = None

    @property
    def failed_rules(self) -> tuple[RuleResult, ...]:
        """The failed rules that closed the gate: all but those of severity `warn`."""
        return tuple(rule for rule in self.rules if not rule.passed and rule.severity is not Severity.WARN)

    def to_json(self) -> bytes:
        """The file's content."""
        return (redact(self.model_dump_json(indent=2)) + "\n").encode()


def find_gate_result(store: ObjectStore, entity: str, ingest_on: date, run_id: str) -> GateResult | None:
    """The decision on a run's interval, or None when it was not judged yet."""
    path = quality_result(entity, ingest_on, run_id)
    content = store.read(path)
    return None if content is None else read_gate_result(content, store.uri(path))


def read_gate_result(content: bytes, where: str) -> GateResult:
    """A decision read back; `where` it lies. Raises DataRejected for a file of another form."""
    try:
        return GateResult.model_validate_json(content)
    except ValidationError as error:
        raise DataRejected(
            f"expected a gate result at {where}, found a file of another form ({faults_of(error)}); remove it and run "
            "deftunes-quality of that month again"
        ) from None


def write_gate_result(store: ObjectStore, result: GateResult) -> str:
    """Put the decision where publish looks for it, replacing an older one; returns its full name."""
    path = quality_result(result.entity, result.ingest_on, result.run_id)
    store.write(path, result.to_json())
    return store.uri(path)
