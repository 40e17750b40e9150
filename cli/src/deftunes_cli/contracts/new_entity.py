"""Files of a new entity: its contract and a first dbt model, from the few things that only a person knows.

    name, server, fields, key, time, money ─► FOLDER/<name>.yaml + FOLDER/<role>_<name>.sql

Existing files are never changed. What is written passes `deftunes contract check`; everything else (paging, auth,
further rules) is then edited in the contract, where the options are explained.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from deftunes_contract.entity import Role
from deftunes_contract.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
PREFIX = {Role.FACT: "fact", Role.DIMENSION: "dim", Role.REFERENCE: "ref"}
"""Role → what the name of the first dbt model begins with."""


class Kind(StrEnum):
    """Kind of a source, by what is read from it."""

    HTTP = "http"
    POSTGRES = "postgres"


class Auth(StrEnum):
    """How an HTTP source knows who asks; its options are in docs/sources.md."""

    NONE = "none"
    BEARER = "bearer"
    HTTP_BASIC = "http_basic"
    API_KEY = "api_key"
    OAUTH2 = "oauth2_client_credentials"


class FieldType(StrEnum):
    """Types that a field may be given; money is decimal(10,2)."""

    STRING = "string"
    INT = "int"
    LONG = "long"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    MONEY = "money"


_LOGICAL = {"string": "string", "boolean": "boolean", "date": "date", "timestamp": "timestamp"}


@dataclass(frozen=True)
class NewField:
    """A field of the record, which is also a column of the table."""

    name: str
    type: FieldType

    @classmethod
    def parse(cls, text: str) -> NewField:
        """Read `NAME:TYPE`; a name alone is a string. Raises UsageError."""
        name, _, kind = text.partition(":")
        if not _NAME.fullmatch(name) or (kind or FieldType.STRING) not in set(FieldType):
            raise UsageError(
                f"--field: expected NAME:TYPE with a name of a-z, 0-9 and _ and a type of {', '.join(FieldType)}, "
                f"found {text!r}; e.g. --field ordered_at:timestamp"
            )
        return cls(name, FieldType(kind or FieldType.STRING))

    @property
    def column_type(self) -> str:
        """Type of the column, an Iceberg type."""
        return "decimal(10,2)" if self.type is FieldType.MONEY else self.type.value

    @property
    def logical_type(self) -> str:
        """The standard's logical type."""
        return _LOGICAL.get(self.type, "integer" if self.type in (FieldType.INT, FieldType.LONG) else "number")

    def landed_type(self, kind: Kind) -> str:
        """Type in the record as it lands: JSON has no dates, and its numbers are doubles."""
        if kind is Kind.POSTGRES:
            return self.column_type
        return {"date": "string", "timestamp": "string", "money": "double"}.get(self.type, self.type.value)

    def landed_logical_type(self, kind: Kind) -> str:
        """The standard's logical type of the same."""
        return "string" if self.landed_type(kind) == "string" else self.logical_type


@dataclass(frozen=True)
class NewEntity:
    """What a person says of a new entity.

    place: the endpoint's path, or `schema.table`. params, data_selector, auth: of an HTTP source; params are
    `name=text` with the dates of the month, such as `since={start}`. key: the field that names a record. time: the
    field with the moment of the event, empty for a list that is read whole each month. amount: the field with the
    money, empty without one.
    """

    name: str
    server: str
    kind: Kind
    place: str
    key: str
    time: str = ""
    amount: str = ""
    pipeline: str = ""
    role: Role = Role.FACT
    fields: tuple[NewField, ...] = ()
    params: tuple[str, ...] = ()
    data_selector: str = ""
    auth: Auth = Auth.NONE

    @property
    def columns(self) -> tuple[NewField, ...]:
        """All fields once: key, then those that were named, time and amount among them in any order."""
        known = {self.key: NewField(self.key, FieldType.STRING)}
        known |= {one.name: one for one in self.fields}
        if self.time:
            known.setdefault(self.time, NewField(self.time, FieldType.TIMESTAMP))
        if self.amount:
            known[self.amount] = NewField(self.amount, FieldType.MONEY)
        return tuple(known.values())

    @property
    def model(self) -> str:
        """Name of the first dbt model."""
        return f"{PREFIX[self.role]}_{self.name}"

    def check(self) -> None:
        """Raises UsageError that names the flag to correct."""
        names = {"NAME": self.name, "--server": self.server, "--key": self.key, "--pipeline": self.pipeline}
        optional = {"--time": self.time, "--amount": self.amount}
        for flag, text in (names | {flag: text for flag, text in optional.items() if text}).items():
            if not _NAME.fullmatch(text):
                raise UsageError(f"{flag}: expected small letters, digits and _, at most 40, found {text!r}")
        if not _PLACE.fullmatch(self.place) or (self.kind is Kind.POSTGRES and self.place.count(".") != 1):
            expected = "schema.table" if self.kind is Kind.POSTGRES else "a path below the server's URL, e.g. orders"
            raise UsageError(f"--place: expected {expected}, found {self.place!r}")
        if self.role is Role.FACT and not (self.amount and self.time):
            missing = "--amount" if not self.amount else "--time"
            raise UsageError(
                f"{missing}: expected the field of a fact's {'event' if self.amount else 'money'}, found none; "
                "rows without money have --role dimension or reference"
            )
        self._check_http()
        self._check_roles()

    def _check_http(self) -> None:
        texts = [*self.params, self.data_selector]
        if self.kind is Kind.POSTGRES and (any(texts) or self.auth is not Auth.NONE):
            raise UsageError("--param, --data-selector and --auth: expected --kind http with them, found postgres")
        if wrong := [text for text in texts if set(text) & set('"\\\n\r')]:
            raise UsageError(f"--param, --data-selector: expected no quotes or backslashes, found {wrong[0]!r}")
        if wrong := [text for text in self.params if not re.match(r"[^=]+=.", text)]:
            raise UsageError(f"--param: expected NAME=TEXT, e.g. since={{start}}, found {wrong[0]!r}")

    def _check_roles(self) -> None:
        """Key, time and money are three fields, and time is one."""
        kinds = {one.name: one.type for one in self.columns}
        if self.time and kinds[self.time] not in (FieldType.TIMESTAMP, FieldType.DATE):
            raise UsageError(f"--time: expected type timestamp or date, found {kinds[self.time]}")
        if len({self.key, self.time, self.amount} - {""}) < 1 + bool(self.time) + bool(self.amount):
            raise UsageError("--key, --time and --amount: expected three different fields")


def write_entity(entity: NewEntity, folder: Path) -> tuple[Path, ...]:
    """Write contract and model, and return their paths. Raises UsageError when one is there already."""
    entity.check()
    texts = {
        folder / f"{entity.name}.yaml": _rendered("contract.yaml.j2", entity),
        folder / f"{entity.model}.sql": _rendered("model.sql.j2", entity),
    }
    if there := [str(file) for file in texts if file.exists()]:
        raise UsageError(f"{', '.join(there)} is there already and stays as it is; choose another name or --folder")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        # exclusive: a file that appeared meanwhile stays too
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    return tuple(texts)


def _rendered(template: str, entity: NewEntity) -> str:
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    source = (files("deftunes_cli.contracts") / template).read_text(encoding="utf-8")
    return environment.from_string(source).render(entity=entity, setting=f"DEFTUNES_{entity.server.upper()}")


def next_steps(entity: NewEntity, written: Sequence[Path]) -> str:
    """What to do with the files."""
    folder = written[0].parent
    where = f"DEFTUNES_{entity.server.upper()}_{'URL' if entity.kind is Kind.HTTP else 'DSN'}"
    return (
        f"wrote {', '.join(map(str, written))}\n"
        f"next     edit them, then: deftunes contract check {folder}\n"
        f"         export DEFTUNES_CONTRACTS={folder} {where}=…\n"
        f"         deftunes run --pipeline {entity.pipeline} --start DAY --end DAY"
    )
