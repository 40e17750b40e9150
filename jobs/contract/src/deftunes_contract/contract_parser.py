"""From a contract (Open Data Contract Standard v3, YAML) to an `Entity` and the servers that it defines.

schema[0] is the published table, schema[1] the record as it lands, customProperties hold the rest. Every fault is a
`Problem` with its line; all of a file are found in one pass.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty
from pydantic import ValidationError

from deftunes_contract.contract_checks import FORMATS, NAME, check_entity, fact_path
from deftunes_contract.contract_form import unknown_properties
from deftunes_contract.entity import QUARANTINE, Entity, Field, Role
from deftunes_contract.http_source import HttpSource, http_source
from deftunes_contract.normalise import Step
from deftunes_contract.postgres_source import PostgresSource, postgres_source
from deftunes_contract.rule_parser import parse_rules
from deftunes_contract.yaml_document import Path, Problem, YamlDocument

SERVER_TYPES = {"api": "endpoint", "postgres": "relation"}
"""Type of a server → the custom property that says what is read from it."""
_ADDRESS = ("location", "host", "port", "database")
"""Fields of a server that the standard requires; their value is the name of a setting, `${DEFTUNES_API_URL}`."""
_NO_OPTIONS = frozenset({"server", "type", "id", "description", "environment", "schema", *_ADDRESS})
_PLACEHOLDER = re.compile(r"\$\{DEFTUNES_[A-Z0-9_]+\}")
_TEXTS = ("server", "landingFormat", "explode", "eventTime", "amount", "pipeline", "role", "servingTable")
_MAPPINGS = ("endpoint", "relation")
_FACTS = frozenset({*_TEXTS, "landingFolder", *_MAPPINGS})


@dataclass(frozen=True)
class Server:
    """A source of data: `api` (HTTP) or `postgres`, with the options that all entities read from it share.

    Where it is, and its secrets, come from the environment: `DEFTUNES_<SERVER>_URL`, `DEFTUNES_<SERVER>_DSN`, ….
    """

    name: str
    type: str
    options: Mapping[str, Any]
    where: str = dataclasses.field(compare=False)


class ContractParser:
    """Parses one document; `problems` has what is wrong with it."""

    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self.problems: list[Problem] = unknown_properties(document)
        try:
            self._standard: OpenDataContractStandard | None = OpenDataContractStandard.model_validate(document.value)
        except ValidationError as error:
            self._invalid((), error)
            self._standard = None

    def entity(self, servers: Mapping[str, Server]) -> Entity | None:
        """The entity, or None when something is wrong with it; `servers` of all contracts."""
        if self.problems or self._standard is None:
            return None
        if (found := self._entity(self._standard, servers)) is None or self.problems:
            return None
        self.problems += check_entity(found, self._document)
        return None if self.problems else found

    def _entity(self, standard: OpenDataContractStandard, servers: Mapping[str, Server]) -> Entity | None:
        document = self._document
        if not str(standard.apiVersion or "").startswith("v3."):
            self._fault(("apiVersion",), f"apiVersion: expected v3.1.0, found {standard.apiVersion!r}")
        tables = standard.schema_ or []
        name = _text(tables[0].name) if tables else ""
        if not name:
            self._fault(("schema",), "expected a table with a name as the first schema, found none")
            return None
        facts = self._facts()
        columns = tuple(
            self._field(p, ("schema", 0, "properties", at), is_column=True)
            for at, p in enumerate(tables[0].properties or [])
        )
        record = tables[1] if len(tables) > 1 else None
        record_path: Path = ("schema", 1, "properties")
        rules, faults = parse_rules(document, columns)
        self.problems += faults
        described = standard.description
        server = _text(facts.get("server"))
        kind = servers[server].type if server in servers else ""
        return Entity(
            name=name,
            version=standard.version or "",
            purpose=_text(described.purpose if described else None),
            usage=_text(described.usage if described else None),
            limitations=_text(described.limitations if described else None),
            grain=_text(tables[0].dataGranularityDescription),
            columns=columns,
            record=tuple(self._field(p, (*record_path, at)) for at, p in enumerate(record.properties or []))
            if record
            else (),
            record_name=_text(record.physicalName) if record else "",
            rules=rules,
            partition=tuple(p.name or "" for p in tables[0].properties or [] if p.partitioned),
            landing_folder=_text(facts.get("landingFolder")) or f"landing_zone/{server}/{name}",
            landing_format=_text(facts.get("landingFormat")) or FORMATS.get(kind, ""),
            pipeline=_text(facts.get("pipeline")),
            event_time=facts.get("eventTime"),
            amount=facts.get("amount"),
            server=server,
            source=None if name == QUARANTINE else self._source(facts, servers),
            explode=facts.get("explode"),
            role=Role.REFERENCE if name == QUARANTINE else self._role(facts.get("role")),
            serving_table=facts.get("servingTable"),
            digest=digest_of(document.value),
            file=document.file,
            overlay=document.overlay,
        )

    def _facts(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for at, fact in enumerate(self._document.value.get("customProperties") or []):
            name, path = str(fact.get("property")), ("customProperties", at, "property")
            if name not in _FACTS:
                self._fault(path, f"expected a property of {', '.join(sorted(_FACTS))}, found {name!r}; correct it")
            value = fact.get("value")
            kinds = (str, dict, type(None)) if name in _MAPPINGS else (str, type(None))
            if not isinstance(value, kinds):
                self._fault((*path[:-1], "value"), f"{name}: expected text, found {value!r}")
                continue
            found[name] = value
        return found

    def _role(self, given: Any) -> Role:
        try:
            return Role(given)
        except ValueError:
            self._fault(self._fact("role"), f"role: expected {', '.join(Role)}, found {given!r}")
            return Role.REFERENCE

    def _source(self, facts: Mapping[str, Any], servers: Mapping[str, Server]) -> HttpSource | PostgresSource | None:
        server = servers.get(_text(facts.get("server")))
        if server is None:
            self._fault(
                self._fact("server"),
                f"server: expected one that a contract defines ({', '.join(servers)}), found {facts.get('server')!r}",
            )
            return None
        what = SERVER_TYPES[server.type]
        if facts.get(what) is None:
            self._fault(("customProperties",), f"expected the property {what}, for a server of type {server.type}")
            return None
        make = http_source if server.type == "api" else postgres_source
        try:
            return make(server.name, server.options, facts[what])
        except ValidationError as error:
            self._invalid(self._fact(what), error)
            return None

    def servers(self) -> Iterator[Server]:
        """The servers that this contract defines."""
        if self._standard is None:
            return
        for at, given in enumerate(self._document.value.get("servers") or []):
            path: Path = ("servers", at)
            name, kind = _text(given.get("server")), _text(given.get("type"))
            if not NAME.fullmatch(name):
                self._fault(
                    (*path, "server"),
                    f"server: expected a name of a-z, 0-9 and _ with at most 40, found {name!r}",
                )
                continue
            if kind not in SERVER_TYPES:
                self._fault((*path, "type"), f"type: expected {' or '.join(SERVER_TYPES)}, found {kind!r}")
                continue
            for field in _ADDRESS:
                if field in given and not _PLACEHOLDER.fullmatch(_text(given[field])):
                    self._fault(
                        (*path, field),
                        f"{field}: expected the name of a setting like ${{DEFTUNES_{name.upper()}_URL}}, found an "
                        "address; a contract says what is read, the environment says where",
                    )
            options = {key: value for key, value in given.items() if key not in _NO_OPTIONS}
            yield Server(name, kind, options, self._document.where(path))

    def _invalid(self, path: Path, error: ValidationError) -> None:
        for fault in error.errors(include_url=False):
            place = (*path, *fault["loc"])
            self._fault(place, f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}, found {fault['input']!r}")

    def _field(self, source: SchemaProperty, path: Path, is_column: bool = False) -> Field:
        nested = source.properties or ([source.items] if source.items else [])
        facts = {p.property: p.value for p in source.customProperties or []}
        name = _text(source.name)
        return Field(
            name=name,
            type=_text(source.physicalType),
            required=bool(source.required),
            key=bool(source.primaryKey),
            pii="pii" in (source.tags or []),
            audit="audit" in (source.tags or []),
            description=_text(source.description),
            children=tuple(self._field(child, path) for child in nested),
            normalise=self._steps(source, facts, path),
            path=_text(facts.get("path")) or name if is_column else "",
            constant=_text(facts["constant"]) if is_column and "constant" in facts else None,
        )

    def _steps(self, source: SchemaProperty, facts: Mapping[str | None, Any], path: Path) -> tuple[Step, ...]:
        """The steps of the custom property `normalise`, in the order in which they are applied."""
        named = facts.get("normalise") or []
        if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
            self._fault(path, f"column {source.name}: normalise: expected a list of {', '.join(Step)}, found {named!r}")
            return ()
        if unknown := set(named) - set(Step):
            self._fault(
                path, f"column {source.name}: normalise knows {', '.join(Step)}, found {', '.join(sorted(unknown))}"
            )
        if named and source.physicalType != "string":
            self._fault(
                path, f"column {source.name}: only a string can be normalised, found {source.physicalType}; remove it"
            )
        return tuple(step for step in Step if step in named)

    def _fact(self, name: str) -> Path:
        return fact_path(self._document, name)

    def _fault(self, path: Path, message: str) -> None:
        self.problems.append(self._document.problem(path, message))


def digest_of(value: Any) -> str:
    """sha256 (hex) of plain data: comments and layout of the YAML do not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _text(value: object) -> str:
    return "" if value is None else str(value)
