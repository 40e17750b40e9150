"""What in a reply says that there is more than what came: pages, cursors, totals larger than the number of records.

headers of the reply, or fields of an object in place of the array ─► the claims among them, as text for a message

Public APIs agree on `Link: …; rel="next"` (RFC 8288) and on nothing else, so other names are read by their structure
and not by a list: `X-WP-TotalPages`, `X-Pagination-Page-Count` and `total_pages` are the same words. Rate limits,
times, sizes and other technical figures are no claims. A value that cannot be read is no claim, unless its name says
next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deftunes_extract.link_header import announces_page, next_link

_LONGEST = 200
"""Characters shown of one claim."""
_MOST = 6
"""Claims shown of one reply."""
_LONGEST_JOINED = 40
_LONGEST_READ = 8192
"""Characters of a name, and of a value, that are taken apart: a hostile one costs no time."""
_DEEPEST = 4
"""Levels of objects in a field of an envelope that are looked at."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PAGING = _set("page pages pagination paging pager paginator cursor collection link links list listing")
_THINGS = _set(
    "record records row rows item items result results resultset hit hits entity entities object objects document "
    "documents docs element elements entry entries match matches user users session sessions data"
)
_PLURALS = _set("records rows items results hits entities elements entries matches found matched")
_PIECES = _set("page pages part parts batch batches chunk chunks segment segments")
_FOLLOWERS = (
    _PAGING
    | _THINGS
    | _set(
        "token url uri href path query offset id start begin batch before after key marker range continuation "
        "position index skip from since until max min partition chunk part segment window bookmark set available"
    )
)
"""What may come next; `X-Next-Gen` and `X-Nextjs-Cache` are about something else."""
_TECHNICAL = _set(
    "rate ratelimit throttle quota limit limits per retry request requests call calls attempt attempts time times "
    "timing duration latency runtime elapsed msec millis milliseconds seconds sec minutes hours day days byte "
    "bytes kb mb cost credit credits budget price amount value cache cached age ttl memory mem cpu sql db query "
    "queries error errors warning warnings hop hops redirect redirects connection connections thread threads "
    "worker workers node nodes shard shards server servers version visit visits visitor visitors view views word "
    "words char chars length speed window ratio score weight daily monthly hourly"
)
_RATES = _set("rate ratelimit throttle quota limit limits retry cache")
_OTHER = _set(
    "x not has is any more next prev previous total totals count counts num number no of size current first last "
    "remaining left truncated partial incomplete continued continue complete completed final finished end eof "
    "info meta to in continuation skiptoken nextlink scroll full overall grand additional further continues estimated"
)
_WORDS = _PAGING | _THINGS | _PIECES | _FOLLOWERS | _TECHNICAL | _OTHER
_JOINED = re.compile(f"x?((?:{'|'.join(sorted(_WORDS - {'x'}, key=len, reverse=True))})+)")
_WORD = re.compile("|".join(sorted(_WORDS - {"x"}, key=len, reverse=True)))
_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")

_NOTHING = frozenset({"", "null", "none", "nil", "undefined", "false", "no", "n", "f", "off", "0", "-1", "{}", "[]"})
_YES = frozenset({"true", "yes", "y", "t", "on"})
_NO = frozenset({"false", "no", "n", "f", "off", "0"})
_NUMBER = re.compile(r"[~≈>]?\s*(\d[\d,_ ]*)(?:\.0*)?\s*\+?")
_OF = re.compile(r"(\d+)\s*(?:/|of)\s*(\d+)")
_RANGE = re.compile(r"(?:([A-Za-z_][\w-]*)[ =:]+)?(?:(\d+)\s*-\s*(\d+)|\*)\s*/\s*(\d+|\*)")


def claims_of_head(status: int, headers: Iterable[tuple[bytes, bytes]], asked: str, came: int) -> list[str]:
    """The header fields of a reply to `asked` that say that there is more than its `came` records, as `Name: value`."""
    found = ["status 206 Partial Content"] if status == 206 else []
    raw = [(name.decode("latin-1"), value.decode("latin-1")[:_LONGEST_READ]) for name, value in headers]
    for name, value in raw:
        if name.lower() == "link":
            claim = announces_page(value, asked)
        elif name.lower() == "content-range":
            claim = _range_claims(value, came)
        else:
            claim = _claims(words_of(name), value.strip(), came)
        if claim:
            found.append(f"{name}: {value.strip()[:_LONGEST]}")
    return found[:_MOST]


def claims_of_fields(envelope: Mapping[str, Any], came: int | None = None) -> list[str]:
    """The fields of an object around the `came` records that say how much more there is, as `name: value`.

    Without a number, the object came in place of the array, and its longest list is taken for the records.
    """
    if came is None:
        came = max((len(value) for value in envelope.values() if isinstance(value, list)), default=0)
    return list(_field_claims(envelope, (), came))[:_MOST]


def claims_of_last_page(
    headers: Iterable[tuple[bytes, bytes]], asked: str, fields: Mapping[str, Any], came: int, cursor: str | None
) -> list[str]:
    """What on the last of several pages says that there are more than the `came` records of all of them.

    That it is not the first page says nothing here, nor does its own cursor.
    """
    found = []
    for name, value in ((name.decode("latin-1"), value.decode("latin-1")[:_LONGEST_READ]) for name, value in headers):
        if name.lower() == "link":
            claim = _has_next(value, asked)
        elif name.lower() == "content-range":
            claim = False
        else:
            claim = not _is_of_page(words := words_of(name)) and _claims(words, value.strip(), came)
        if claim and value.strip() != cursor:
            found.append(f"{name}: {value.strip()[:_LONGEST]}")
    of_fields = _field_claims(fields, (), came, is_last_page=True)
    found += [claim for claim in of_fields if cursor is None or claim.partition(": ")[2] != cursor]
    return found[:_MOST]


def _has_next(value: str, asked: str) -> bool:
    try:
        return next_link([value], asked) is not None
    except ValueError:
        return True


def _is_of_page(words: Sequence[str]) -> bool:
    """Whether a name is about pages as such, or about the one before: of the last of several it says nothing."""
    return bool({"prev", "previous", "offset"} & set(words)) or (
        bool(_PIECES & set(words)) and not {"next", "more", "remaining", "left"} & set(words)
    )


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name: by its hyphens, its capitals, or, where it has neither, the known words it is made of."""
    words: list[str] = []
    for part in filter(None, _BORDER.split(name)):
        whole = part.lower() in _WORDS or len(part) > _LONGEST_JOINED
        joined = None if whole else _JOINED.fullmatch(part.lower())
        words += _WORD.findall(joined[1]) if joined else [part.lower()]
    return tuple(words)


def _claims(words: Sequence[str], value: str, came: int) -> bool:
    """Whether a header with these words in its name and this value says that there is more."""
    if _RATES & set(words) or words[-1:] == ("ms",) or (_TECHNICAL & set(words) and "next" not in words[:-1]):
        return False
    if _PAGING & set(words) and (fields := _parts(value)):
        return any(_field_claims(fields, tuple(words), came))
    return _says_more(words, value.strip("\"' ").lower(), came)


def _says_more(words: Sequence[str], value: str, came: int) -> bool:
    has = set(words)
    if {"next", "nextlink", "continuation", "skiptoken"} & has:
        return value not in _NOTHING and _is_of_what_follows(words)
    if "more" in has:
        after = words[words.index("more") + 1 :]
        return value not in _NOTHING and not {"learn", "read", "see"} & has and (not after or after[0] in _FOLLOWERS)
    if {"prev", "previous"} & has:
        return bool({"page", "pages"} & has) and value not in _NOTHING
    of = _OF.fullmatch(value)
    number = int(of[2]) if of else _number(value)
    if {"truncated", "partial", "incomplete", "continued", "continue", "continues"} & has:
        return value not in _NOTHING
    if {"complete", "completed", "final", "finished"} & has:
        return value in (_YES | {"1"} if "not" in has else _NO)
    if {"eof", "end"} & has or ("last" in has and number is None):
        return value in _NO - {"0"}
    if {"remaining", "left", "additional", "further"} & has:
        return bool(number) and bool(has & (_PAGING | _THINGS | _PIECES))
    if {"cursor", "scroll"} & has or ({"token", "marker", "bookmark"} & has and _PAGING & has):
        return value not in _NOTHING and not {"prev", "previous", "first", "start", "end", "current"} & has
    if _PIECES & has:
        return _page_claims(words, number, bool(of))
    if number is None:
        return False
    if words[-1] == "offset":
        return number > 0 and not has - _PAGING - _THINGS - {"x", "offset", "current"}
    return number > came and _counts_records(words)


def _is_of_what_follows(words: Sequence[str]) -> bool:
    """Whether `next` stands alone, last, or before something that a reader would fetch."""
    for place, word in enumerate(words):
        if word in ("continuation", "skiptoken", "nextlink"):
            return True
        if word == "next" and (place + 1 == len(words) or words[place + 1] in _FOLLOWERS):
            return True
    return False


def _page_claims(words: Sequence[str], number: int | None, of: bool) -> bool:
    """Claims about pages: how many there are, or that this is not the first."""
    has = set(words)
    if number is None or number < 2 or {"size", "per"} & has:
        return False
    return of or bool({"total", "count", "last", "max", "num"} & has) or words[-1] in _PAGE_NUMBER | _PIECES


_PAGE_NUMBER = frozenset({"number", "current", "index", "no"})


def _counts_records(words: Sequence[str]) -> bool:
    """Whether the name is that of a number of records: a total, a count, or a plural."""
    last = words[-1]
    if "size" in words:
        return last == "size" and bool({"result", "results", "collection", "resultset"} & set(words))
    if {"max", "min"} & set(words):
        return False
    if {"total", "totals", "count", "counts", "available"} & set(words):
        return True
    return last in _PLURALS or (last in ("users", "sessions") and set(words) <= _WORDS)


def _field_claims(
    fields: Mapping[str, Any], above: tuple[str, ...], came: int, level: int = 0, is_last_page: bool = False
) -> Iterator[str]:
    """Fields that say that there is more, as `name: value`; `above` are the words of the names around them."""
    for name, value in fields.items():
        words = (*above, *words_of(str(name)))
        inner = [value] if isinstance(value, Mapping) else value if isinstance(value, list) else []
        for one in inner if level < _DEEPEST else ():
            if isinstance(one, Mapping):
                if "next" in str(one.get("rel", "")).lower().split():
                    yield f"{name}: {json.dumps(one)[:_LONGEST]}"
                elif isinstance(value, Mapping) or "links" in words:
                    yield from _field_claims(one, words, came, level + 1, is_last_page)
        if not isinstance(value, Mapping | list):
            text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
            if is_last_page and _is_of_page(words):
                continue
            if words and not _TECHNICAL & set(words) and _says_more(words, text.strip().lower(), came):
                yield f"{name}: {text[:_LONGEST]}"


def _parts(value: str) -> Mapping[str, Any] | None:
    """The fields of a header's value that is a JSON object or of the form `total=60; page=1`; None if it is neither."""
    if value.startswith("{"):
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None
    pairs = [part.partition("=") for part in re.split(r"[;,&]\s*", value) if part.strip()]
    if pairs and all(re.fullmatch(r"\s*[A-Za-z][\w-]*\s*", name) and equals for name, equals, _ in pairs):
        return {name.strip(): text.strip(" \"'") for name, _, text in pairs}
    return None


def _number(value: str) -> int | None:
    """A count, as servers write it: 60, 1,234, 60.0, ~60, 60+."""
    found = _NUMBER.fullmatch(value) if len(value) < _LONGEST_JOINED else None
    digits = re.sub(r"\D", "", found[1]) if found else ""
    return int(digits) if 0 < len(digits) < 20 else None


def _range_claims(value: str, came: int) -> bool:
    """Whether a Content-Range (`items 0-19/60`, `0-14/*`) leaves something out before or after."""
    found = _RANGE.fullmatch(value.strip())
    if not found:
        return False
    unit, first, last, total = found.groups()
    if first is None:
        return total != "*" and int(total) > came and (unit or "").lower() != "bytes"
    held = int(last) + 1 if (unit or "").lower() == "bytes" else min(int(last) + 1, came)
    return int(first) > 0 or (total != "*" and int(total) > held)
