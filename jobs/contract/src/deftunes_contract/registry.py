"""The registry: every entity, pipeline and server that the contracts define, in publish order.

Nothing else names an entity: who is fetched, from where, in which format and in which pipeline follows from the
contracts of this package (`entities/*.yaml`) and from those that DEFTUNES_CONTRACTS adds or overlays.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter

from deftunes_contract.contract_files import SETTING, added_files, packaged_contracts
from deftunes_contract.contract_parser import ContractParser, Server, digest_of
from deftunes_contract.contract_set import check_together, read_documents, references_of
from deftunes_contract.entity import QUARANTINE, Entity
from deftunes_contract.errors import UsageError
from deftunes_contract.yaml_document import Problem

__all__ = ["SETTING", "Registry", "Server", "build_registry", "load", "packaged_contracts", "registry"]
_SHOWN = 20
"""Faults that one message names."""


@dataclass(frozen=True)
class Registry:
    """What all contracts together say. `entities` is in publish order; `quarantine` is no entity of a pipeline."""

    entities: Mapping[str, Entity]
    servers: Mapping[str, Server]
    quarantine: Entity

    @property
    def names(self) -> tuple[str, ...]:
        """Entities in publish order."""
        return tuple(self.entities)

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables of the lake: the entities' and the quarantine."""
        return *self.entities, QUARANTINE

    @property
    def digest(self) -> str:
        """sha256 (hex) over all effective contracts."""
        return digest_of({name: self.entity(name).digest for name in self.tables})

    @property
    def pipelines(self) -> dict[str, tuple[str, ...]]:
        """Entities by pipeline, each in publish order; a pipeline whose entities others refer to comes first."""
        members: dict[str, tuple[str, ...]] = {}
        for entity in self.entities.values():
            members[entity.pipeline] = (*members.get(entity.pipeline, ()), entity.name)
        position = {name: at for at, name in enumerate(self.names)}
        last = {pipeline: position[names[-1]] for pipeline, names in members.items()}
        needs = {
            pipeline: {self.entities[r].pipeline for name in names for r in references_of(self.entities[name])}
            - {pipeline}
            for pipeline, names in members.items()
        }
        try:
            order = list(_sorted(needs, last))
        except CycleError:  # two pipelines that refer to each other: each is checked against the other's last month
            order = sorted(members, key=lambda pipeline: last[pipeline])
        return {pipeline: members[pipeline] for pipeline in order}

    def entity(self, name: str) -> Entity:
        """The entity of this name, or the quarantine. Raises UsageError with the names that there are."""
        if name == QUARANTINE:
            return self.quarantine
        if name not in self.entities:
            raise UsageError(f"expected an entity of {', '.join(self.names)}, found {name!r}")
        return self.entities[name]


def registry() -> Registry:
    """The registry for the value of DEFTUNES_CONTRACTS. Raises UsageError that names FILE:LINE of every fault."""
    return _registry(os.environ.get(SETTING, ""))


def load(name: str) -> Entity:
    """The entity of this name, or the quarantine. Raises UsageError."""
    return registry().entity(name)


@cache
def _registry(place: str) -> Registry:
    found, problems = build_registry(packaged_contracts(), added_files(place, ".yaml"))
    if found is None:
        raise UsageError(
            f"expected contracts without faults, found {len(problems)}; nothing was started: {join(problems)}"
        )
    return found


def build_registry(
    packaged: Mapping[str, str], added: Mapping[str, str] | None = None
) -> tuple[Registry | None, list[Problem]]:
    """The registry of these contracts and overlays (file → text), or None and everything that is wrong with them."""
    documents, problems = read_documents(packaged, added or {})
    parsers = [ContractParser(document) for document in documents.values()]
    servers: dict[str, Server] = {}
    for server in (server for parser in parsers for server in parser.servers()):
        other = servers.setdefault(server.name, server)
        if other != server:
            problems.append(
                Problem(server.where, f"server {server.name}: expected what {other.where} says, found other options")
            )
    entities = {entity.name: entity for parser in parsers if (entity := parser.entity(servers))}
    problems += [problem for parser in parsers for problem in parser.problems]
    if not problems:
        problems += check_together(entities, documents)
    if problems:
        return None, sorted(set(problems))
    quarantine = entities.pop(QUARANTINE)
    needs = {entity.name: references_of(entity) for entity in entities.values()}
    order = _sorted(needs, {e.name: (e.role.rank, e.name) for e in entities.values()})
    return Registry({name: entities[name] for name in order}, servers, quarantine), []


def join(problems: Iterable[Problem]) -> str:
    """All in one sentence, the first twenty by name."""
    shown = [str(problem) for problem in problems]
    more = f"; and {len(shown) - _SHOWN} more: see deftunes contract check" if len(shown) > _SHOWN else ""
    return "; ".join(shown[:_SHOWN]) + more


def _sorted(needs: Mapping[str, Iterable[str]], rank: Mapping[str, object]) -> Iterator[str]:
    """Every name after those that it needs, else by rank. Raises CycleError."""
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    ready: list[tuple[object, str]] = []
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (rank[name], name))
        _, name = heapq.heappop(ready)
        yield name
        sorter.done(name)
