"""Property values as they travel between engine and provider: protobuf structs in, plain Python out, and back.

Two kinds have no plain Python counterpart and are kept as what they are, wherever they sit: a secret (its wrapper must
come back, or the engine would write it to the state as plain text) and a value that a preview cannot know yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which the protocol tells a special value from a map (pulumi.runtime.rpc._special_sig_key)."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# for a bool, number, string, array, asset, archive, object (sdk/v3 go/common/resource/plugin/rpc.go)
UNKNOWN_MARKS = frozenset(
    (
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        UNKNOWN_STRING,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    )
)

Properties = dict[str, Any]


class Unknown:
    """A value that exists only after the update: there is one of it, UNKNOWN."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value that the engine encrypts before it writes it anywhere; its text never shows in a repr."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


def from_struct(struct: Struct) -> Properties:
    """The properties of a request."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def to_struct(properties: Mapping[str, Any]) -> Struct:
    """The properties of an answer; None values are left out, as the real provider leaves out what is not set."""
    return Struct(fields={key: _to_value(value) for key, value in properties.items() if value is not None})


def bare(value: Any) -> Any:
    """The same without the wrappers of secrets, at any depth: to compare, or to hand to AWS."""
    if isinstance(value, Secret):
        return bare(value.value)
    if isinstance(value, Mapping):
        return {key: bare(item) for key, item in value.items()}
    if isinstance(value, list):
        return [bare(item) for item in value]
    return value


def holds_unknown(value: Any) -> bool:
    """Whether something in it is not known yet."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Secret):
        return holds_unknown(value.value)
    if isinstance(value, Mapping):
        return any(holds_unknown(item) for item in value.values())
    return isinstance(value, list) and any(holds_unknown(item) for item in value)


def _from_value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in UNKNOWN_MARKS else value.string_value
    if kind == "number_value":
        # protobuf knows doubles alone; boto3 wants integers where AWS does
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _from_map(value.struct_value)
    return None


def _from_map(struct: Struct) -> Any:
    fields = struct.fields
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else None
    if signature == SECRET:
        return Secret(_from_value(fields["value"]))
    if signature == OUTPUT:
        inner = _from_value(fields["value"]) if "value" in fields else UNKNOWN
        return Secret(inner) if "secret" in fields and fields["secret"].bool_value else inner
    return {key: _from_value(item) for key, item in fields.items()}


def _to_value(value: Any) -> Value:
    if value is None:
        return Value(null_value=NullValue.NULL_VALUE)
    if isinstance(value, Unknown):
        return Value(string_value=UNKNOWN_STRING)
    if isinstance(value, Secret):
        wrapped = {SIGNATURE: Value(string_value=SECRET), "value": _to_value(value.value)}
        return Value(struct_value=Struct(fields=wrapped))
    if isinstance(value, bool):
        return Value(bool_value=value)
    if isinstance(value, (int, float)):
        return Value(number_value=value)
    if isinstance(value, str):
        return Value(string_value=value)
    if isinstance(value, Mapping):
        return Value(struct_value=Struct(fields={key: _to_value(item) for key, item in value.items()}))
    if isinstance(value, (list, tuple)):
        return Value(list_value=ListValue(values=[_to_value(item) for item in value]))
    raise TypeError(f"expected a value that the protocol can carry, found {type(value).__name__}: {value!r}")
