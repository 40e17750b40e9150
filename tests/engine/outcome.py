"""What a run of the engine did, from the events that it sends: steps, diagnostics, violated policies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation.events import EngineEvent


@dataclass(frozen=True)
class Step:
    """One thing done to one resource, or planned. op: the engine's word (create, update, replace, delete, same …)."""

    op: str
    urn: str
    type: str
    changed: tuple[str, ...]
    """Top-level properties that differ."""
    replacing: tuple[str, ...]
    """Properties that force the replacement."""
    paths: Mapping[str, str]
    """Property path and what became of it: add, update, delete, or one of these with -replace."""
    inputs: Mapping[str, Any]
    """After the step; secrets are blinded by the engine."""
    before: Mapping[str, Any]
    """Inputs before the step."""
    protected: bool
    parent: str

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Diagnostic:
    """Something that the engine, the program or the provider had to say."""

    severity: str
    message: str
    urn: str


@dataclass(frozen=True)
class Violation:
    """Of a policy. level: advisory or mandatory."""

    policy: str
    level: str
    message: str
    urn: str


@dataclass(frozen=True)
class Run:
    """One preview, up, refresh or destroy."""

    verb: str
    succeeded: bool
    steps: tuple[Step, ...]
    diagnostics: tuple[Diagnostic, ...]
    violations: tuple[Violation, ...]
    summary: Mapping[str, int]
    """The engine's own count: operation and resources."""
    text: str
    """What the command line printed, when it failed."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()
    packs: Mapping[str, str] = field(default_factory=dict)
    """Policy packs that took part, and their versions: no violation proves something only if the pack is here."""

    def of(self, *ops: str) -> list[str]:
        """Names of AWS resources (no stack, no providers, no components) that met one of these operations."""
        return sorted(step.name for step in self.steps if step.op in ops and step.type.startswith("aws:"))

    def step(self, name: str, op: str | None = None) -> Step:
        """The one step of a resource. Raises LookupError when there is none, or more than one."""
        found = [step for step in self.steps if step.name == name and op in (None, step.op)]
        if len(found) != 1:
            ops = [step.op for step in self.steps if step.name == name]
            raise LookupError(f"expected one step of {name!r} (op {op or 'any'}), found {ops}")
        return found[0]

    @property
    def changes(self) -> tuple[Step, ...]:
        """Steps that change something."""
        return tuple(step for step in self.steps if step.op not in ("same", "read", "refresh"))

    @property
    def errors(self) -> list[str]:
        """Messages of severity error, without colours."""
        return [diagnostic.message for diagnostic in self.diagnostics if diagnostic.severity == "error"]

    @property
    def said(self) -> str:
        """Everything that was said, to look a phrase up in."""
        return "\n".join([*(diagnostic.message for diagnostic in self.diagnostics), self.text])


class Refused(Exception):
    """The engine ended in failure; `run` tells how far it came."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(f"{run.verb} failed: {'; '.join(run.errors) or run.text[-2000:]}")


class Witness:
    """Collects a run's events; give it as on_event."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._steps: list[Step] = []
        self._diagnostics: list[Diagnostic] = []
        self._violations: list[Violation] = []
        self._summary: dict[str, int] = {}
        self._packs: dict[str, str] = {}

    def __call__(self, event: EngineEvent) -> None:
        if event.resource_pre_event:
            self._steps.append(_step(event.resource_pre_event.metadata))
        elif said := event.diagnostic_event:
            if said.severity == "debug":
                return  # a hundred lines of the SDK's own steps
            self._diagnostics.append(Diagnostic(said.severity, _plain(said.message), said.urn or ""))
        elif violated := event.policy_event:
            self._violations.append(
                Violation(
                    violated.policy_name,
                    violated.enforcement_level,
                    _plain(violated.message),
                    violated.resource_urn or "",
                )
            )
        elif event.summary_event:
            changes = event.summary_event.resource_changes or {}
            # the engine's key is name|local|path
            packs = event.summary_event.policy_packs or {}
            self._packs = {key.partition("|")[0]: version for key, version in packs.items()}
            self._summary = {str(getattr(op, "value", op)): count for op, count in changes.items()}

    def run(self, *, succeeded: bool, text: str = "") -> Run:
        """All of it, at the end."""
        return Run(
            self._verb,
            succeeded,
            tuple(self._steps),
            tuple(self._diagnostics),
            tuple(self._violations),
            self._summary,
            _plain(text),
            packs=self._packs,
        )


def _step(metadata: Any) -> Step:
    state = metadata.new or metadata.old
    return Step(
        op=metadata.op.value,
        urn=metadata.urn,
        type=metadata.type,
        changed=tuple(metadata.diffs or ()),
        replacing=tuple(metadata.keys or ()),
        paths={path: diff.diff_kind.value for path, diff in (metadata.detailed_diff or {}).items()},
        inputs=(metadata.new.inputs if metadata.new else None) or {},
        before=(metadata.old.inputs if metadata.old else None) or {},
        protected=bool(state and state.protect),
        parent=(state.parent if state else "") or "",
    )


def _plain(text: str) -> str:
    """Without the engine's colour marks and the terminal's."""
    return re.sub(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m", "", text).strip()
