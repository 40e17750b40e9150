"""The dbt project of a build: the packaged one, and what the contracts and models of DEFTUNES_CONTRACTS add to it.

Data flow: packaged project + `*.sql`, `*.yml` of DEFTUNES_CONTRACTS + what follows from the contracts (sources,
staging, checks) -> HOME/project-<digest>/, which dbt reads. Without DEFTUNES_CONTRACTS dbt reads
the packaged project itself.

What protects it: a project is written aside and takes its name whole; its name is the digest of its content, so builds
at once share it and none changes it. No file of the folder takes the place of a packaged one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from uuid import uuid4

from deftunes_contract.contract_files import SETTING, added_files
from deftunes_contract.errors import UsageError
from deftunes_contract.registry import Registry, registry
from deftunes_serving.generate_sources import generated_files
from deftunes_serving.settings import ProjectSettings

PARTS = ("models", "macros", "tests", "profiles")
"""Folders of the project, beside dbt_project.yml."""
ADDED = "models/added"
"""Folder of the added models; dbt_project.yml says how they are built."""
ASSEMBLED = "project-"
"""Beginning of the folder's name of a project that was put together."""
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\.(sql|yml)")
"""File of an added model: its name becomes a relation's."""


def project_folder(settings: ProjectSettings) -> Path:
    """The folder of the dbt project that a command reads.

    Raises UsageError that names the file of DEFTUNES_CONTRACTS that cannot be added.
    """
    packaged = settings.dbt_project
    if not (packaged / "dbt_project.yml").is_file():
        raise UsageError(
            f"DEFTUNES_DBT_PROJECT: expected dbt_project.yml in {packaged}, found none; name the folder of the dbt "
            "project (jobs/dbt in the repository)"
        )
    if not os.environ.get(SETTING):
        return packaged
    texts = assemble(packaged, registry(), added_files(os.environ[SETTING], ".sql", ".yml"))
    files = {name: text.encode() for name, text in texts.items()}
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.encode() + b"\0" + files[f]).digest() for f in sorted(files)))
    folder = settings.home / f"{ASSEMBLED}{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        _write(folder, files)
    return folder


def is_assembled(folder: Path) -> bool:
    """Whether a project holds files of DEFTUNES_CONTRACTS."""
    return folder.name.startswith(ASSEMBLED)


def assemble(packaged: Path, contracts: Registry, added: Mapping[str, str]) -> dict[str, str]:
    """Path in the project -> text. `added`: address -> text of files of DEFTUNES_CONTRACTS. Raises UsageError."""
    files = {"dbt_project.yml": (packaged / "dbt_project.yml").read_text(encoding="utf-8")}
    for part in PARTS:
        for file in sorted((packaged / part).rglob("*")):
            if file.is_file():
                files[file.relative_to(packaged).as_posix()] = file.read_text(encoding="utf-8")
    taken = _names(files, "models")
    for address, text in sorted(added.items()):
        files[_added_path(address, taken)] = text
    # staging models that the folder or the package brings are not generated
    files |= generated_files(contracts, skip=_names(files, "models"))
    models = {stem for stem in _names(files, "models") if not stem.startswith("stg_")}
    for entity in contracts.entities.values():
        if entity.serving_table and entity.serving_table not in models:
            raise UsageError(
                f"contract {entity.name}: servingTable: expected a model of the dbt project that is no staging model, "
                f"found {entity.serving_table!r}; add {entity.serving_table}.sql to {SETTING}"
            )
    return files


def _names(files: Collection[str], part: str) -> set[str]:
    return {Path(file).stem for file in files if file.startswith(f"{part}/") and file.endswith(".sql")}


def _added_path(address: str, taken: Collection[str]) -> str:
    """Where an added file goes: staging models beside the packaged ones, all else by itself."""
    name = address.rpartition("/")[2]
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{SETTING}: expected the file of a dbt model, small letters, digits and _ before .sql or .yml, found "
            f"{address}; rename it"
        )
    stem, _, suffix = name.partition(".")
    if suffix == "sql" and stem in taken:
        raise UsageError(
            f"{SETTING}: {address}: the dbt project has a model {stem} already; give the added model another name"
        )
    return f"models/staging/{name}" if suffix == "sql" and stem.startswith("stg_") else f"{ADDED}/{name}"


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    aside = folder.with_name(f".writing-{uuid4().hex}")
    try:
        for name, content in files.items():
            target = aside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        aside.rename(folder)
    except OSError:
        # another build wrote the same project first
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
