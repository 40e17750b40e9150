"""Contracts together: overlays applied, and what no contract can break alone: names, folders, references."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from deftunes_contract.contract_checks import fact_path
from deftunes_contract.entity import QUARANTINE, Entity
from deftunes_contract.overlay import KIND as OVERLAY
from deftunes_contract.overlay import apply_overlay
from deftunes_contract.yaml_document import Path, Problem, YamlDocument

CONTRACT = "DataContract"


def read_documents(
    packaged: Mapping[str, str], added: Mapping[str, str]
) -> tuple[dict[str, YamlDocument], list[Problem]]:
    """Entity → its contract with the overlay applied, and what is wrong with the files as such.

    `packaged` and `added` are file → text. A file that is broken is left out.
    """
    documents: dict[str, YamlDocument] = {}
    overlays: list[YamlDocument] = []
    problems: list[Problem] = []
    for files in (packaged, added):
        for file, text in sorted(files.items()):
            document, faults = YamlDocument.parse(file, text)
            kind = document.value.get("kind")
            problems += faults
            if faults:
                continue
            if kind == OVERLAY:
                overlays.append(document)
            elif kind == CONTRACT:
                problems += _add(documents, document, file in packaged)
            else:
                problems.append(document.problem(("kind",), f"kind: expected {CONTRACT} or {OVERLAY}, found {kind!r}"))
    for overlay in overlays:
        problems += _overlay(documents, overlay)
    return documents, problems


def _add(documents: dict[str, YamlDocument], document: YamlDocument, is_packaged: bool) -> list[Problem]:
    schemas = document.value.get("schema")
    table = schemas[0] if isinstance(schemas, list) and schemas else None
    name = table.get("name") if isinstance(table, dict) else None
    path: Path = ("schema", 0, "name")
    if not isinstance(name, str) or not name:
        return [document.problem(path, "expected a table with a name as the first schema, found none")]
    if name == QUARANTINE and not is_packaged:
        return [document.problem(path, f"expected another name than {name}, which is the table of refused records")]
    if other := documents.get(name):
        return [
            document.problem(
                path,
                f"expected an entity of its own, found {name}, which {other.where(path)} defines; rename it, or change "
                f"the other with kind: {OVERLAY}",
            )
        ]
    documents[name] = document
    return []


def _overlay(documents: Mapping[str, YamlDocument], overlay: YamlDocument) -> list[Problem]:
    name = overlay.value.get("entity")
    contract = documents.get(str(name))
    if contract is None or name == QUARANTINE:
        known = ", ".join(sorted(set(documents) - {QUARANTINE}))
        return [overlay.problem(("entity",), f"entity: expected one of {known}, found {name!r}")]
    if contract.overlay:
        return [
            overlay.problem(
                ("entity",), f"expected one overlay for each entity, found {contract.overlay} for {name} too; join them"
            )
        ]
    contract.overlay = overlay.file
    return apply_overlay(contract, overlay)


def check_together(entities: Mapping[str, Entity], documents: Mapping[str, YamlDocument]) -> list[Problem]:
    """What is wrong between entities that are each right."""
    problems: list[Problem] = []
    folders = {entity.name: f"{entity.landing_folder}/" for entity in entities.values() if entity.name != QUARANTINE}
    for name in (added := [name for name in documents if name in folders]):
        folder = folders[name]
        for other in added[: added.index(name)]:  # packaged contracts come first, so an added one is at fault
            theirs = folders[other]
            if folder.startswith(theirs) or theirs.startswith(folder):
                path = fact_path(documents[name], "landingFolder")
                problems.append(
                    documents[name].problem(
                        path,
                        f"landingFolder: expected one of its own, found {folder[:-1]}, where {other} lands too",
                    )
                )
    for entity in entities.values():
        problems += _references(entity, entities, documents[entity.name])
    try:
        TopologicalSorter({name: references_of(entity) for name, entity in entities.items()}).prepare()
    except CycleError as error:
        names = list(error.args[1])
        at = next(i for i, rule in enumerate(entities[names[1]].rules) if rule.parameters.get("entity") == names[0])
        problems.append(
            documents[names[1]].problem(
                ("schema", 0, "quality", at),
                f"expected references without a cycle, found {' → '.join(reversed(names))}",
            )
        )
    return problems


def _references(entity: Entity, entities: Mapping[str, Entity], document: YamlDocument) -> list[Problem]:
    problems = []
    for at, rule in enumerate(entity.rules):
        if rule.kind != "reference":
            continue
        path: Path = ("schema", 0, "quality", at, "implementation")
        other = entities.get(rule.parameters["entity"])
        if other is None or other.name == QUARANTINE:
            known = ", ".join(sorted(set(entities) - {QUARANTINE}))
            message = f"entity: expected one of {known}, found {rule.parameters['entity']!r}"
            problems.append(document.problem((*path, "entity"), f"rule {rule.id}: {message}"))
        elif rule.parameters["references"] not in (names := [column.name for column in other.columns]):
            message = f"references: expected a column of {other.name} ({', '.join(names)}), found"
            problems.append(
                document.problem((*path, "references"), f"rule {rule.id}: {message} {rule.parameters['references']!r}")
            )
    return problems


def references_of(entity: Entity) -> set[str]:
    """The other entities that rules of this one refer to."""
    return {rule.parameters["entity"] for rule in entity.rules_of("reference")} - {entity.name}
