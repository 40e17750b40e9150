"""Places that settings name: an address in S3, or a folder of this machine. A path is a path, never a URL.

A folder may be called `shop #1`, `a?b` or `100%`: nothing here cuts a path at a character that means something in
a URL. Only what begins with `file://` is read as one.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from deftunes_contract.errors import UsageError

S3 = "s3://"
UNNAMEABLE = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line breaks, and bytes that are no UTF-8: no name of a file of the lake holds one."""
_NO_KEY = re.compile(r"[?#*\[\]{}\\]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|file:")


def in_s3(place: str) -> bool:
    """Whether a place is an address in S3."""
    return place.startswith(S3)


def bucket_and_key(place: str, setting: str = "DEFTUNES_LAKE") -> tuple[str, str]:
    """Bucket and key (or prefix, without slashes around it) of an address in S3. Raises UsageError."""
    bucket, _, key = place.removeprefix(S3).partition("/")
    if not bucket or _NO_KEY.search(place) or UNNAMEABLE.search(place):
        raise UsageError(
            f"{setting}: expected s3://bucket/prefix, text without ?#*[]{{}}\\, at which Iceberg's or DuckDB's "
            f"client would cut or match, found {place!r}"
        )
    return bucket, key.strip("/")


def local_folder(place: str, setting: str = "DEFTUNES_LAKE") -> Path:
    """The absolute path of a folder: a path (`~` is the home, relative ones begin here) or a file:// URI.

    A URI's %XX are decoded, a path's are not. Raises UsageError, naming the setting, for other schemes and for what
    no reader of the lake could open.
    """
    if place.startswith("file://"):
        host, slash, rest = place.removeprefix("file://").partition("/")
        if host not in ("", "localhost") or not slash:
            raise UsageError(
                f"{setting}: expected file:///absolute/path, found {place!r}; write the path without file://"
            )
        path = Path(unquote(f"/{rest}"))
    elif _SCHEME.match(place):
        raise UsageError(f"{setting}: expected s3://bucket/prefix or a folder, found {place!r}")
    else:
        try:
            # pathlib would take ./~ for the home too
            path = Path(place).expanduser() if place.startswith("~") else Path(place)
        except RuntimeError:
            raise UsageError(
                f"{setting}: expected a folder, found {place!r}: nobody is called so; write ./{place}"
            ) from None
    if UNNAMEABLE.search(str(path)):
        raise UsageError(
            f"{setting}: expected a folder whose name is text in one line, found {str(path)!r}; control characters "
            "and bytes that are no UTF-8 would be in the name of every file: name another folder"
        )
    # Hadoop would take the first part of //data/lake for a host
    return Path(re.sub("^/+", "/", str(path.absolute())))
