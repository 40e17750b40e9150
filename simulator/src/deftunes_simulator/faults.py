"""Faults on demand: the kinds, their grammar, and the board that decides when one strikes.

    ENDPOINT:KIND[:PROBABILITY[:OPTION=VALUE[,OPTION=VALUE…]]]        sessions:http_429:1:times=2,seconds=1

Request faults are drawn per request, by the number of the request since the rule was set; of several
rules that would strike one request the first wins. Record faults are drawn per record, by the record's
content: a bad record of the source is bad in every reply that holds it, as it would be in real life.
Both depend on the world's seed, never on the clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .errors import ConfigError
from .seeded_draws import WORD, domain_salt, draw

ENDPOINTS = ("users", "sessions")
_BOTH = ENDPOINTS


@dataclass(frozen=True)
class Kind:
    """One kind of fault: what it does, where it can be set, and with which options besides ``times``."""

    name: str
    level: Literal["request", "record"]
    endpoints: tuple[str, ...]
    options: tuple[str, ...]
    explanation: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("http_429", "request", _BOTH, ("seconds",), "status 429 with Retry-After: SECONDS (1)"),
        Kind("http_500", "request", _BOTH, (), "status 500"),
        Kind("reset", "request", _BOTH, ("record",), "TCP reset in the middle of a record"),
        Kind(
            "stall", "request", _BOTH, ("record", "seconds"), "no bytes for SECONDS (30) in mid-record, then the rest"
        ),
        Kind("truncated", "request", _BOTH, ("record",), "status 200, a clean end in the middle of a record"),
        Kind("wrong_content_type", "request", _BOTH, (), "status 200 with an HTML page"),
        Kind("duplicate_session", "record", ("sessions",), (), "the session appears twice in the reply"),
        Kind("duplicate_user", "record", ("users",), (), "the user appears twice in the reply"),
        Kind("late_session", "record", ("sessions",), (), "one more session, of a day before the asked interval"),
        Kind("extra_column", "record", _BOTH, ("field",), "a field nobody announced (FIELD: campaign)"),
        Kind("missing_column", "record", _BOTH, ("field",), "a field is absent (FIELD: drawn)"),
        Kind("type_flip", "record", _BOTH, ("field",), "a field has another JSON type (FIELD: drawn)"),
        Kind("replace", "record", _BOTH, ("field", "value"), "FIELD holds VALUE (JSON), to trip a quality rule"),
    )
}
GRAMMAR = "ENDPOINT:KIND[:PROBABILITY[:OPTION=VALUE[,OPTION=VALUE]]]"
FIELDS = {
    "users": ("user_id", "user_name", "user_lastname", "user_location", "user_since"),
    "sessions": (
        "user_id", "session_id", "session_items", "user_agent", "session_start_time",
        "session_items.song_id", "session_items.song_name", "session_items.artist_id", "session_items.artist_name",
        "session_items.price", "session_items.currency", "session_items.liked", "session_items.liked_since",
    ),
}  # fmt: skip
"""Names a ``field`` option accepts; ``session_items.x`` means field x of one drawn item."""

_DEFAULT_PROBABILITY = {"request": 1.0, "record": 0.1}
_DEFAULT_SECONDS = {"http_429": 1.0, "stall": 30.0}


@dataclass(frozen=True)
class Fault:
    """One rule. ``probability`` is per request or per record; ``times`` limits it to the first n requests.

    seconds: length of a stall, or Retry-After. record: number of the record at which a reply breaks (None =
    drawn, below 20). field: see FIELDS. value: what ``replace`` writes.
    """

    endpoint: str
    kind: str
    probability: float
    times: int | None = None
    seconds: float = 0.0
    record: int | None = None
    field: str | None = None
    value: Any = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read the grammar of this module; raises ConfigError."""
        parts = text.split(":", 3)
        if len(parts) < 2:
            raise ConfigError(f"fault {text!r}: expected {GRAMMAR}")
        described: dict[str, Any] = {"endpoint": parts[0], "kind": parts[1]}
        if len(parts) > 2 and parts[2]:
            described["probability"] = parts[2]
        for option in filter(None, parts[3].split(",") if len(parts) > 3 else ()):
            name, found, value = option.partition("=")
            if not found:
                raise ConfigError(f"fault {text!r}: expected OPTION=VALUE, found {option!r}")
            described[name] = _json_or_text(value) if name == "value" else value
        return cls.from_mapping(described)

    @classmethod
    def from_mapping(cls, described: Mapping[str, Any]) -> Fault:
        """Build a rule from its fields, filling in defaults; raises ConfigError naming what is wrong."""
        found = dict(described)
        shown = f"fault {found.get('endpoint')}:{found.get('kind')}"
        kind = KINDS.get(str(found.pop("kind", None)))
        if kind is None:
            raise ConfigError(f"{shown}: expected one of the kinds {', '.join(KINDS)}")
        endpoint = str(found.pop("endpoint", None))
        if endpoint not in kind.endpoints:
            raise ConfigError(f"{shown}: expected the endpoint {' or '.join(kind.endpoints)}")
        allowed = {"probability", "times", *kind.options}
        # A rule read back from GET /_faults carries every field and counters; an empty option is no option.
        for counter in ("requests", "injected"):
            found.pop(counter, None)
        unknown = {name for name, value in found.items() if name not in allowed and value not in (None, 0)}
        if unknown:
            raise ConfigError(
                f"{shown}: expected only the options {', '.join(sorted(allowed))}; found {', '.join(sorted(unknown))}"
            )
        field = found.get("field")
        if field is not None and kind.name != "extra_column" and field not in FIELDS[endpoint]:
            raise ConfigError(f"{shown}: expected a field of {', '.join(FIELDS[endpoint])}; found {field!r}")
        if kind.name == "replace" and (field is None or "value" not in found):
            raise ConfigError(f"{shown}: expected field=NAME,value=JSON")
        return cls(
            endpoint=endpoint,
            kind=kind.name,
            probability=_number(shown, "probability", found, _DEFAULT_PROBABILITY[kind.level], 1.0),
            times=_count(shown, "times", found),
            seconds=_number(shown, "seconds", found, _DEFAULT_SECONDS.get(kind.name, 0.0), 3600.0),
            record=_count(shown, "record", found),
            field=field,
            value=found.get("value"),
        )

    @property
    def level(self) -> str:
        """``request`` or ``record``."""
        return KINDS[self.kind].level


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _number(shown: str, name: str, found: Mapping[str, Any], default: float, highest: float) -> float:
    value = found.get(name)
    try:
        number = default if value is None else float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= highest:
        raise ConfigError(f"{shown}: expected {name} from 0 to {highest:g}, found {value!r}")
    return number


def _count(shown: str, name: str, found: Mapping[str, Any]) -> int | None:
    value = found.get(name)
    if value is None:
        return None
    try:
        count = int(value)
    except (TypeError, ValueError):
        count = -1
    if count < 0:
        raise ConfigError(f"{shown}: expected {name} as a whole number from 0, found {value!r}")
    return count


class Rule:
    """A fault on the board, with its own stream of draws and its counters."""

    def __init__(self, seed: int, position: int, fault: Fault) -> None:
        """Prepare the draws; ``position`` keeps two equal rules apart."""
        self.fault = fault
        self.salt = domain_salt(seed, f"fault/{position}/{fault.endpoint}/{fault.kind}")
        self.requests = 0
        self.injected = 0

    def next_request(self) -> int | None:
        """Count a request; return its number if the rule is still in force, else None."""
        number = self.requests
        self.requests += 1
        return number if self.fault.times is None or number < self.fault.times else None

    def fires(self, word: int) -> bool:
        """Decide by a 64 bit word, and count."""
        hit = word < self.fault.probability * WORD
        self.injected += hit
        return hit


@dataclass(frozen=True)
class Interruption:
    """A request fault that strikes: which one, and the record at which a reply breaks."""

    fault: Fault
    record: int


@dataclass(frozen=True)
class Verdict:
    """What is to go wrong with one request."""

    interruption: Interruption | None
    record_rules: tuple[Rule, ...]


class FaultInjector:
    """The rules in force in one API process, and what they did so far."""

    def __init__(self, seed: int, faults: Sequence[Fault]) -> None:
        """Start with these faults."""
        self._seed = seed
        self.requests = dict.fromkeys(ENDPOINTS, 0)
        self._rules: list[Rule] = []
        self.replace(faults)

    def replace(self, faults: Sequence[Fault]) -> None:
        """Put other rules in force; all counters start again."""
        self.requests = dict.fromkeys(ENDPOINTS, 0)
        self._rules = [Rule(self._seed, position, fault) for position, fault in enumerate(faults)]

    def judge(self, endpoint: str) -> Verdict:
        """Decide the fate of the next request to an endpoint."""
        self.requests[endpoint] += 1
        interruption = None
        record_rules = []
        for rule in self._rules:
            if rule.fault.endpoint != endpoint:
                continue
            number = rule.next_request()
            if number is None:
                continue
            if rule.fault.level == "record":
                record_rules.append(rule)
                continue
            words = draw(rule.salt, number)
            if interruption is None and rule.fires(words[0]):
                record = words[1] % 20 if rule.fault.record is None else rule.fault.record
                interruption = Interruption(rule.fault, record)
        return Verdict(interruption, tuple(record_rules))

    def report(self) -> dict[str, Any]:
        """Return rules and counters: ``requests`` seen per endpoint, ``injected`` per rule and in all."""
        faults = [{**vars(rule.fault), "requests": rule.requests, "injected": rule.injected} for rule in self._rules]
        return {
            "faults": faults,
            "requests": self.requests,
            "injected": sum(rule.injected for rule in self._rules),
        }
