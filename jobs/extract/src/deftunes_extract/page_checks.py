"""Whether pages are one whole list: each once, none missing, nothing moved while they were read.

URL of each page (before) · records and head of each page (after) · all of them (at the end) ─► accepted or refused

Refused at once (DataRejected): what will be the same next time, such as a page that names itself as the next one. Read
again from the first page (SourceError), then refused: what happens when records move while they are read.
"""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import msgspec

from deftunes_contract.entity import Entity
from deftunes_contract.errors import DataRejected
from deftunes_contract.http_source import CursorPaginator, PaginatorOptions, SinglePage
from deftunes_contract.record_path import find_path
from deftunes_extract.json_array import Record
from deftunes_extract.paginator import Page
from deftunes_extract.paging import claims_of_fields, claims_of_head, claims_of_last_page
from deftunes_extract.source import SourceError

_MOST_KEYS = 200_000
"""Keys that are remembered, 20 MB of memory: all of them up to here, then every second, every fourth …"""
_CHANGED = (
    "pages are missing, or the list changed while it was read: order it by a field that does not change (params), use "
    "a cursor, or read when nothing is written"
)
_INTACT = "nothing was delivered and the earlier delivery is intact"


class Repeats:
    """How many records came a second time as part of a page: in a run of at least two, each seen before.

    A page that comes twice hides one that does not come, because the totals agree. One record that comes twice is a bad
    record, and set aside later. Of more than `_MOST_KEYS` records the first are looked at.
    """

    def __init__(self) -> None:
        self.count = 0
        self._seen: set[int] = set()
        self._run = 0

    def add(self, records: Iterable[Record]) -> None:
        """Look at the next records."""
        for record in records:
            if len(self._seen) >= _MOST_KEYS:
                return
            key = hash(bytes(record))
            self._run = self._run + 1 if key in self._seen else 0
            self.count += 2 if self._run == 2 else int(self._run > 2)
            self._seen.add(key)


class KeyReader:
    """The hash of a record's business key; of the whole record where it has none that can be read."""

    def __init__(self, entity: Entity) -> None:
        paths = [find_path(entity, column) for column in entity.columns if column.key]
        keys = list(dict.fromkeys(path.root for path in paths if path is not None and not path.in_item))
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Key", [(name, msgspec.Raw) for name in keys])).decode
        self._keys = keys

    def hashes(self, records: Iterable[Record]) -> Iterable[int]:
        """One hash for each record."""
        return map(self._hash if self._keys else hash_of, records)

    def _hash(self, record: Record) -> int:
        try:
            found = self._decode(record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return hash_of(record)
        return hash(tuple(bytes(getattr(found, name)) for name in self._keys))


def hash_of(record: Record) -> int:
    """The hash of a record's text."""
    return hash(bytes(record))


class _Keys:
    """Keys of earlier pages, in bounded memory: beyond the limit, those whose hash ends with enough zeros."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._mask = 0
        self._of_last_page: set[int] = set()

    def add_page(self, keys: set[int]) -> int:
        """Remember a page's keys; how many of them other pages had."""
        again = len({key for key in keys if key in self._seen or key in self._of_last_page})
        self._seen |= {key for key in keys if not key & self._mask}
        while len(self._seen) > _MOST_KEYS:
            self._mask = self._mask << 1 | 1
            self._seen = {key for key in self._seen if not key & self._mask}
        self._of_last_page = keys if len(keys) <= _MOST_KEYS else set()
        return again


class PageChecks:
    """The checks of one read from its first page to its last."""

    def __init__(self, paginator: PaginatorOptions) -> None:
        self._paginator = paginator
        self._urls: set[int] = set()
        self._contents: dict[bytes, int] = {}
        self._keys = _Keys()
        self._total: int | None = None
        self._version: str | None = None

    def start(self) -> None:
        """A list begins: the interval, or a slice of it with a total and a version of its own."""
        self._total = self._version = None

    def before(self, number: int, url: httpx.URL) -> None:
        """Raises DataRejected when this URL has been read: the pages would never end."""
        key = hash(str(url))
        if key in self._urls:
            raise DataRejected(
                f"page {number} ({url}): expected another page, found one that has been read, so the pages never end; "
                f"{_INTACT}. Correct the paginator of the contract or the API"
            )
        self._urls.add(key)

    def after(self, page: Page, content: bytes, keys: set[int]) -> None:
        """Check a page; `content` is a digest of its records, `keys` are the hashes of their keys."""
        if page.records and (first := self._contents.setdefault(content, page.number)) != page.number:
            raise DataRejected(
                f"{page}: expected other records than on page {first}, found the same {page.records:,} again; "
                f"{_INTACT}. The API does not follow the request: correct the paginator's parameters"
            )
        if page.total is not None and self._total is not None and page.total != self._total:
            raise self._changed(page, f"a total of {self._total:,} records as on the pages before", f"{page.total:,}")
        self._total = page.total if page.total is not None else self._total
        header = None if isinstance(self._paginator, SinglePage) else self._paginator.version_header
        version = page.headers.get(header) if header else None
        if header and page.number > 1 and version != self._version:
            raise self._changed(page, f"{header}: {self._version} as on the pages before", str(version))
        self._version = version
        if again := self._keys.add_page(keys):
            raise self._changed(page, "records that no page before had", f"{again:,} that came before")

    def at_end(self, page: Page) -> None:
        """Check the last page and the number of all records."""
        if self._total is not None and page.came != self._total:
            raise self._changed(page, f"{self._total:,} records on all pages, as the API says", f"{page.came:,}")
        if isinstance(self._paginator, SinglePage):
            head = claims_of_head(200, page.headers.raw, str(page.url), page.came)
            if claims := head + claims_of_fields(page.fields, page.came):
                raise DataRejected(more_announced(str(page), page.came, 0, claims))
            return
        name = self._paginator.cursor_param if isinstance(self._paginator, CursorPaginator) else ""
        cursor = page.url.params.get(name)
        if claims := claims_of_last_page(page.headers.raw, str(page.url), page.fields, page.came, cursor):
            raise DataRejected(
                f"{page}: expected the last page, found {page.came:,} records on all pages and more announced by "
                f"{'; '.join(claims)}; {_INTACT}. Correct the paginator of the contract"
            )

    def _changed(self, page: Page, expected: str, found: str) -> SourceError:
        return SourceError(f"{page}: expected {expected}, found {found}; {_CHANGED}", DataRejected)


def more_announced(where: str, came: int, repeated: int, claims: Iterable[str]) -> str:
    """The message for one reply that is not the whole."""
    twice = f" ({repeated:,} of them for the second time)" if repeated else ""
    return (
        f"{where}: expected all records in one reply, found {came:,}{twice} and more announced by {'; '.join(claims)}; "
        f"{_INTACT}. Have the API send everything in one reply: pages are not followed without a paginator in the "
        "contract"
    )
