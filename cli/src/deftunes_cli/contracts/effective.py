"""Contracts as they take effect: packaged ones with what a place adds and overlays. Reads files, asks no source."""

from __future__ import annotations

import json
from dataclasses import dataclass

from deftunes_contract.contract_diff import ContractState, Difference, diff_contracts
from deftunes_contract.contract_files import added_files, packaged_contracts
from deftunes_contract.contract_set import read_documents
from deftunes_contract.entity import Entity
from deftunes_contract.errors import UsageError
from deftunes_contract.registry import Registry, build_registry, join
from deftunes_contract.yaml_document import Problem, YamlDocument


@dataclass(frozen=True)
class EffectiveContract:
    """One entity with the contract it is made of, overlays applied."""

    entity: Entity
    document: YamlDocument

    def to_json(self) -> str:
        """For programs."""
        one = self.entity
        facts = {"entity": one.name, "file": one.file, "overlay": one.overlay, "digest": one.digest}
        return json.dumps({**facts, "contract": self.document.value}, indent=2, ensure_ascii=False, default=str)

    def to_yaml(self) -> str:
        """For people: where it comes from, then the contract; beside an overlaid value, its line and what was there."""
        overlay = f"\n# overlay  {self.entity.overlay}" if self.entity.overlay else ""
        head = f"# contract {self.entity.file}{overlay}\n# digest   {self.entity.digest}\n"
        return head + self.document.to_yaml()


def check_contracts(place: str) -> tuple[Registry | None, list[Problem]]:
    """The registry of the packaged contracts and those of a place, or everything that is wrong with them.

    Raises UsageError when the place has no files.
    """
    return build_registry(packaged_contracts(), added_files(place, ".yaml"))


def effective_contract(name: str, place: str) -> EffectiveContract:
    """The contract of an entity. Raises UsageError for contracts with faults, and for an unknown name."""
    found, documents = _state(place)
    return EffectiveContract(found.entity(name), documents[name])


def differences(before: str, after: str) -> tuple[Difference, ...]:
    """What changes from the contracts with one place to those with another; an empty place is the packaged ones alone.

    Raises UsageError for contracts with faults.
    """
    return diff_contracts(ContractState(*_state(before)), ContractState(*_state(after)))


def _state(place: str) -> tuple[Registry, dict[str, YamlDocument]]:
    packaged, added = packaged_contracts(), added_files(place, ".yaml")
    found, problems = build_registry(packaged, added)
    if found is None:
        raise UsageError(f"expected contracts without faults, found {len(problems)}: {join(problems)}")
    return found, read_documents(packaged, added)[0]


def summary(found: Registry) -> str:
    """What there is, in one line a pipeline."""
    return "\n".join(
        f"{pipeline}: {', '.join(_told(found.entity(name)) for name in names)}"
        for pipeline, names in found.pipelines.items()
    )


def _told(entity: Entity) -> str:
    return f"{entity.name} ({entity.role}{', overlaid' if entity.overlay else ''})"
