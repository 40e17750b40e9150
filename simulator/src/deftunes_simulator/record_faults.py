"""Record faults: bad records mixed into a stream of good ones.

records as bytes ─► the same records, some of them doubled, changed, or followed by a latecomer. Records no
rule strikes pass untouched, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from .faults import FIELDS, Fault, Rule
from .seeded_draws import UuidFactory, draw_for

_LATE_DAYS = 3
_EARLIEST_DAY = date.min + timedelta(days=_LATE_DAYS + 1)  # there is no day before year 1
_US_PER_DAY = 86_400_000_000
_FLIPPABLE = {
    "users": ("user_since", "user_location", "user_name"),
    "sessions": ("session_items.price", "session_items.liked", "session_start_time", "session_items.liked_since"),
}
_REMOVABLE = {endpoint: tuple(name for name in names if name != "session_items") for endpoint, names in FIELDS.items()}


def tamper(records: Iterator[bytes], rules: Sequence[Rule], first_day: date | None, seed: int) -> Iterator[bytes]:
    """Apply the record faults to a reply; ``first_day`` is the asked start (None: no interval asked)."""
    uuids = UuidFactory(seed, "late session")
    for record in records:
        result = [record]
        for rule in rules:
            words = draw_for(rule.salt, record)
            if not rule.fires(words[0]):
                continue
            if rule.fault.kind in ("duplicate_session", "duplicate_user"):
                result.append(result[0])
            elif rule.fault.kind == "late_session":
                result.append(_late(record, words, first_day or date(2020, 1, 1), uuids))
            else:
                result[0] = _dumps(_spoil(json.loads(result[0]), rule.fault, words))
        yield from result


def _dumps(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _late(record: bytes, words: Sequence[int], first_day: date, uuids: UuidFactory) -> bytes:
    """Return a session of the same buyer and basket, up to three days before the interval."""
    session = json.loads(record)
    session["session_id"] = uuids.text(words[1]).decode()
    first_day = max(first_day, _EARLIEST_DAY)
    back = timedelta(microseconds=1 + words[2] % (_LATE_DAYS * _US_PER_DAY))
    session["session_start_time"] = (datetime.combine(first_day, time()) - back).isoformat(timespec="microseconds")
    return _dumps(session)


def _spoil(record: dict[str, Any], fault: Fault, words: Sequence[int]) -> dict[str, Any]:
    candidates = (_FLIPPABLE if fault.kind == "type_flip" else _REMOVABLE)[fault.endpoint]
    drawn = "campaign" if fault.kind == "extra_column" else candidates[words[1] % len(candidates)]
    path = fault.field or drawn
    holder = record
    if path.startswith("session_items."):
        path = path.removeprefix("session_items.")
        # An earlier rule may have taken the items away or flipped them.
        items = [item for item in record.get("session_items") or () if isinstance(item, dict)]
        if not items:
            return record
        holder = items[words[2] % len(items)]
    if fault.kind == "missing_column":
        holder.pop(path, None)
    elif fault.kind == "extra_column":
        holder[path] = "spring"
    elif fault.kind == "replace":
        holder[path] = fault.value
    elif path in holder:
        holder[path] = _flipped(holder[path])
    return record


def _flipped(value: Any) -> Any:
    """Return the same information as another JSON type, the way careless back ends do."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:.2f}"
        case None:
            return "null"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return json.dumps(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return [value]
    return round(moment.replace(tzinfo=UTC).timestamp())
