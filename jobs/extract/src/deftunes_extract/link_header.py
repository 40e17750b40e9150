"""The Link header (RFC 8288): whether it names another page than the one that came.

Any quoting, several relations in one link, several links in one header; a link whose context is another resource
(`anchor`) says nothing of this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, urljoin, urlsplit

_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^;,\"]*))?)*\s*;?)")
_PARAMETER = re.compile(r";\s*([^\s=;,]+)(?:\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([^;,\"]*)))?")
_BARE_NEXT = re.compile(r"\brel\s*=\s*[\"']?(?:[^\"';,]*\s)?next\b", re.IGNORECASE)
_FIRST_PAGE = frozenset({"page", "p", "pagenumber", "number", "pageno", "pageindex", "offset", "start", "skip", "from"})
_SIZES = frozenset({"size", "per", "limit"})


def next_link(values: Iterable[str], asked: str, relation: str = "next") -> str | None:
    """The target of the first link with this relation among Link header fields; None when there is none.

    Raises ValueError for a link that cannot be read.
    """
    for value in values:
        for relations, target in _links(value, asked):
            if relation.lower() in relations:
                return target
        if "<" not in value and _BARE_NEXT.search(value):
            raise ValueError(value)
    return None


def announces_page(value: str, asked: str) -> bool:
    """Whether a Link header (RFC 8288) names a next or an earlier page, or a first and a last that differ."""
    targets: dict[str, str] = {}
    try:
        for relations, target in _links(value, asked):
            for relation in relations:
                targets.setdefault(relation, target)
        keys = _page_key(targets.get("last", "")), _page_key(targets.get("first", asked))
    except ValueError:  # an address that is none
        return bool(_BARE_NEXT.search(value))
    if targets.keys() & {"next", "prev", "previous", "next-archive", "prev-archive"}:
        return True
    if "last" not in targets:
        return "<" not in value and bool(_BARE_NEXT.search(value))
    return bool(keys[0] - keys[1])


def _links(value: str, asked: str) -> Iterator[tuple[list[str], str]]:
    """Relations and target of every link whose context is the reply itself."""
    for match in _LINK.finditer(value):
        parameters: dict[str, str] = {}
        for name, quoted, single, plain in _PARAMETER.findall(match[2]):
            # RFC 8288 3.3: of a relation given twice the first one counts
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or single or plain.strip())
        context = urljoin(asked, parameters.get("anchor", ""))
        if context.partition("#")[0] == asked:
            # an extension relation is a URI, and its last part names it
            yield [re.split(r"[/#:]", one.lower())[-1] for one in parameters.get("rel", "").split()], match[1]


def _page_key(url: str) -> frozenset[tuple[str, str]]:
    """What of a URL tells pages apart: the end of its path, and its query without what says the first page."""
    path, query = urlsplit(url).path, urlsplit(url).query
    return frozenset({("", path.rstrip("/").rpartition("/")[2])} if path else ()) | frozenset(
        (name, value)
        for name, value in parse_qsl(query)
        if not (re.sub(r"[^a-z]", "", name.lower()).removesuffix("number") in _FIRST_PAGE and value in ("0", "1"))
        and not _SIZES & set(re.split(r"[^a-z]+|(?<=page)(?=size)", name.lower()))
    )
