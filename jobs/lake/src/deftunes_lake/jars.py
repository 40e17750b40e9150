"""The jars that Spark needs beside its own: which (jars.lock), where they are, and how they get there.

Data flow: Maven repository → `DEFTUNES_JARS`. A jar takes its name only when its sha256 is the locked one, so a killed
or tampered download is never used. Run alone: `deftunes-lake jars`.
"""

from __future__ import annotations

import hashlib
import ssl
import tomllib
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

import structlog

from deftunes_contract.atomic_file import AtomicFile
from deftunes_contract.errors import DataRejected, RetryableError, UsageError
from deftunes_contract.heartbeat import heartbeat

CHUNK = 1 << 20
TIMEOUT = 60
"""Seconds without a byte after which a download is given up."""


@dataclass(frozen=True)
class Jar:
    """One locked jar. `sha256` is in hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name in the flat folder."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Path in a Maven repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


def locked_jars() -> tuple[Jar, ...]:
    """The jars of jars.lock."""
    document = tomllib.loads((files("deftunes_lake") / "jars.lock").read_text(encoding="utf-8"))
    jars = []
    for entry in document["jar"]:
        group, artifact, version = entry["coordinate"].split(":")
        jars.append(Jar(group, artifact, version, entry["sha256"]))
    return tuple(jars)


def class_path(folder: str) -> str:
    """Class path of all locked jars. Raises UsageError naming those that are not there."""
    jars = [Path(folder).expanduser().absolute() / jar.file_name for jar in locked_jars()]
    if missing := [jar.name for jar in jars if not jar.is_file()]:
        raise UsageError(
            f"expected {len(jars)} jars in {folder} (DEFTUNES_JARS), {len(missing)} are missing: "
            f"{', '.join(missing)}; run `make jars` or `deftunes-lake jars`"
        )
    return ":".join(map(str, jars))


def fetch_jars(folder: str, repository: str) -> tuple[int, int]:
    """Bring every locked jar into a folder; those that are there with the right sha256 stay untouched.

    Returns how many were fetched and how many bytes that was. Raises RetryableError when the repository does not
    answer, UsageError when it does not have a jar, DataRejected when what it served is not what is locked.
    """
    target = Path(folder).expanduser()
    if not target.is_dir():
        target.mkdir(parents=True)
        # homes are private, and jars are nobody's secret: in an image another account than the builder's runs Spark
        target.chmod(0o755)
    fetched, size = 0, 0
    for jar in locked_jars():
        file = target / jar.file_name
        if file.is_file() and _sha256(file) == jar.sha256:
            continue
        size += _fetch(jar, f"{repository.rstrip('/')}/{jar.path}", file)
        fetched += 1
    return fetched, size


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _fetch(jar: Jar, url: str, file: Path) -> int:
    # other accounts of the machine (or image) run Spark too
    with AtomicFile(file, mode=0o644) as download:
        with download.open("wb") as writing:
            size = _download(jar, url, writing)
        if (found := _sha256(download)) != jar.sha256:
            raise DataRejected(
                f"expected sha256 {jar.sha256} of {jar.file_name}, found {found} at {url}; nothing was kept, "
                "check DEFTUNES_MAVEN_URL and who stands between"
            )
    return size


def _download(jar: Jar, url: str, writing: BinaryIO) -> int:
    size, progress = 0, {"done": "0 %"}
    try:
        # create_default_context trusts the system's authorities and honours SSL_CERT_FILE
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT, context=ssl.create_default_context()) as reply,
            heartbeat(structlog.get_logger("jars"), f"fetching {jar.file_name}", facts=lambda: progress),
        ):
            total = int(reply.headers.get("Content-Length") or 0)
            while chunk := reply.read(CHUNK):
                writing.write(chunk)
                size += len(chunk)
                progress["done"] = f"{100 * size // total} %" if total else f"{size / 1e6:.0f} MB"
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise UsageError(
                f"expected {jar.file_name} at {url}, the repository answered {error.code}; check DEFTUNES_MAVEN_URL"
            ) from None
        raise RetryableError(f"{url} answered {error.code} {error.reason}; run `deftunes-lake jars` again") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise RetryableError(
            f"could not fetch {jar.file_name} from {url}: {error}; check the network and DEFTUNES_MAVEN_URL, "
            "then run `deftunes-lake jars` again"
        ) from None
    return size
