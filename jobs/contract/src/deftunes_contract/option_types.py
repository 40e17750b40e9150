"""Values of a source's options: texts with dates of the interval, paths into a reply, names of headers.

Each type is checked when a contract is read, so that a read meets no value that it cannot use.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field


class DateRange(Protocol):
    """Days `[start, end)`; `last_day` is the last one inside."""

    @property
    def start(self) -> date:
        """The first day."""

    @property
    def end(self) -> date:
        """The first day outside."""

    @property
    def last_day(self) -> date:
        """The last day inside."""


@dataclass(frozen=True)
class Days:
    """A slice `[start, end)` of an interval."""

    start: date
    end: date

    @property
    def last_day(self) -> date:
        """The last day inside."""
        return self.end - timedelta(days=1)

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"


def slices_of(interval: DateRange, days: int) -> Iterator[Days]:
    """The slices of an interval, each of so many days but the last, which may be shorter."""
    start = interval.start
    while start < interval.end:
        end = min(start + timedelta(days=days), interval.end)
        yield Days(start, end)
        start = end


_DATES = ("start", "end", "last_day")
_UNIX = {"unix": 1, "unix_ms": 1000}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STEP = re.compile(r"\.?(?:([^.\[\]*'\"$\s]+)|\[(\d+)\]|\[\"([^\"]+)\"\]|\['([^']+)'\])")


def json_path(text: str) -> tuple[str | int, ...]:
    """The steps of a path like `$.meta["next page"].links[0]`; `$` alone is the whole reply. Raises ValueError."""
    steps: list[str | int] = []
    rest = text.strip().removeprefix("$").removesuffix("[*]")
    while rest:
        found = _STEP.match(rest)
        if not found:
            raise ValueError(f"expected a path like data.items, meta['next page'] or links[0].href, found {text!r}")
        name, index, double, single = found.groups()
        steps.append(int(index) if index else name or double or single)
        rest = rest[found.end() :]
    return tuple(steps)


def _is_field_path(text: str) -> str:
    if not json_path(text):
        raise ValueError(f"expected the path of a field, found {text!r}")
    return text


def _is_selector(text: str) -> str:
    if any(isinstance(step, int) for step in json_path(text)):
        raise ValueError(f"expected names only, as in data.items, found {text!r}")
    return text


def _is_template(text: str) -> str:
    render(text, Days(date(2020, 1, 1), date(2020, 2, 1)))
    return text


def _is_relative_path(text: str) -> str:
    parts = text.split("/")
    if "://" in text or text.startswith("//") or {".", ".."} & set(parts) or set("?#\\") & set(text):
        raise ValueError(f"expected a path below the server's URL without a query, found {text!r}; see params")
    return _is_template(text)


def _is_header(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError(f"expected the name of a header, found {text!r}")
    return text


def render(template: str, interval: DateRange) -> str:
    """A template with the dates of an interval or a slice of it. Raises ValueError for a placeholder that is none."""
    days = {"start": interval.start, "end": interval.end, "last_day": interval.last_day}
    text = ""
    for literal, name, spec, conversion in string.Formatter().parse(template):
        text += literal
        if name is None:
            continue
        if name not in days or conversion or (spec and spec not in _UNIX and "%" not in spec):
            raise ValueError(
                f"expected {{{'}, {'.join(_DATES)}}}, as {{start:%Y%m%d}} or {{end:unix}}, found {template!r}"
            )
        moment = datetime.combine(days[name], datetime.min.time(), UTC)
        if not spec:
            text += str(days[name])
        elif spec in _UNIX:
            text += str(int(moment.timestamp()) * _UNIX[spec])
        else:
            text += moment.strftime(spec)
    return text


FieldPath = Annotated[str, Field(min_length=1), AfterValidator(_is_field_path)]
"""Path of one field of the reply, beside the records."""
Template = Annotated[str, AfterValidator(_is_template)]
"""Text with dates of the interval: `{start}`, `{end}` (exclusive), `{last_day}` (inclusive), also `{start:%d.%m.%Y}`,
`{end:unix}`, `{end:unix_ms}`."""
HeaderName = Annotated[str, AfterValidator(_is_header)]
RelativePath = Annotated[str, AfterValidator(_is_relative_path)]
"""Path below a server's URL, with dates of the interval."""
Selector = Annotated[str, AfterValidator(_is_selector)]
"""Names that lead to the records of a reply."""
