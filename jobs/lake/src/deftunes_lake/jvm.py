"""The JVM that Spark runs in: which Java, with which options, and a class archive that makes it start faster.

Data flow of the archive (CDS): a short training run on a throw-away lake → `spark-<digest>.jsa` in `DEFTUNES_JARS`.
Nothing depends on it. What protects it: it takes its name when it is whole, the name holds all that it was recorded
with, and a JVM that does not like it starts without. Run alone: `deftunes-lake warm`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import pyspark

from deftunes_contract.errors import StageError, UsageError
from deftunes_lake.jars import class_path
from deftunes_lake.settings import SparkSettings

LEAST_JAVA = 17
"""Spark 4.1 is Java 17 bytecode."""
EVERY_JVM = f"-Dlog4j2.configurationFile=file:{files('deftunes_lake') / 'log4j2.properties'} -Duser.timezone=UTC"
"""Options of driver and executors alike, which in pods share one image and so this file."""
QUIET = "-Xlog:cds*=off"
"""Messages of the JVM about archives are noise: without an archive it works as well."""


def java_release() -> str:
    """The `release` file of the Java in use, empty without one. Raises UsageError when Spark has no Java to use."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        where = f"JAVA_HOME={home}" if home else "PATH"
        raise UsageError(f"expected Java {LEAST_JAVA} or 21, found no java on {where}; install it or set JAVA_HOME")
    file = Path(java).resolve().parent.parent / "release"
    release = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(r'JAVA_VERSION="(?:1\.)?([0-9]+)', release)
    # a Java without a version is let through: Spark itself reports what it cannot run on
    if found is not None and int(found.group(1)) < LEAST_JAVA:
        raise UsageError(f"expected Java {LEAST_JAVA} or 21, found Java {found.group(1)} at {java}; set JAVA_HOME")
    return release


def java_options(settings: SparkSettings, record_to: str = "") -> str:
    """Options of the driver's JVM. record_to: file to which it records its class archive when it ends."""
    options = [EVERY_JVM]
    if settings.fast_start:
        # the first compiler alone: code is fast soon and never very fast. It would get room for 48 MB of code, which
        # Spark fills within minutes, and from then on the JVM spends a seventh of its time on throwing code away
        options += ["-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m"]
    archive = archive_file(settings)
    if record_to:
        options += [f"-XX:ArchiveClassesAtExit={record_to}", QUIET]
    elif archive.is_file():
        options += [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", QUIET]
    return " ".join(options)


def archive_file(settings: SparkSettings) -> Path:
    """Where the archive of these jars, this Spark and this Java lies, whether it is there or not."""
    parts = (pyspark.__file__, pyspark.__version__, class_path(settings.jars), java_release())
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return Path(settings.jars).expanduser().absolute() / f"spark-{digest}.jsa"


def record_cds_archive(settings: SparkSettings) -> int:
    """Record the archive in a process of its own; returns its size in bytes. Raises StageError when Java made none."""
    target = archive_file(settings)
    with tempfile.TemporaryDirectory(prefix=".warm-", dir=target.parent) as folder:
        aside = Path(folder) / target.name
        command = [sys.executable, "-m", "deftunes_lake.cds_training", settings.jars, folder, str(aside)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not aside.is_file():
            raise StageError(
                f"expected Java to record {target.name}, it ended with {done.returncode} and: "
                f"{done.stderr.strip()[-500:]}; sessions work without it, only slower"
            )
        for older in target.parent.glob("spark-*.jsa"):
            older.unlink(missing_ok=True)
        aside.replace(target)
    return target.stat().st_size
