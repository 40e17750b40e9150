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

from deftunes_contract.errors import UsageError
from deftunes_contract.object_store import open_store
from deftunes_contract.paths import in_s3, local_folder
from deftunes_contract.registry import SETTING, Registry, registry
from deftunes_serving.generate_sources import generated_files
from deftunes_serving.settings import ProjectSettings

PARTS = ("models", "macros", "tests", "profiles")
"""Folders of the project, beside dbt_project.yml."""
ADDED = "models/added"
"""Folder of the added models; dbt_project.yml says how they are built."""
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
    files = {
        name: text.encode() for name, text in assemble(packaged, registry(), added_files(os.environ[SETTING])).items()
    }
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.encode() + b"\0" + files[f]).digest() for f in sorted(files)))
    folder = settings.home / f"project-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        _write(folder, files)
    return folder


def assemble(packaged: Path, contracts: Registry, added: Mapping[str, str]) -> dict[str, str]:
    """Path in the project -> text. `added`: file name -> text of DEFTUNES_CONTRACTS. Raises UsageError."""
    files = {"dbt_project.yml": (packaged / "dbt_project.yml").read_text(encoding="utf-8")}
    for part in PARTS:
        for file in sorted((packaged / part).rglob("*")):
            if file.is_file():
                files[file.relative_to(packaged).as_posix()] = file.read_text(encoding="utf-8")
    taken = _names(files, "models")
    for name, text in sorted(added.items()):
        files[_added_path(name, taken)] = text
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


def added_files(place: str) -> dict[str, str]:
    """File name -> text of the models and their descriptions in a folder or below an S3 prefix. Raises UsageError."""
    if in_s3(place):
        bucket, _, prefix = place.removeprefix("s3://").strip("/").partition("/")
        store = open_store(f"s3://{bucket}")
        names = {path.removeprefix(f"{prefix}/"): path for path in store.list(prefix)} if prefix else {}
        texts = {name: store.read(path) or b"" for name, path in names.items() if _is_added(name)}
    else:
        # not through a store: the files of a mounted ConfigMap are links
        folder = local_folder(place, SETTING)
        if not folder.is_dir():
            raise UsageError(f"{SETTING}: expected a folder or s3://bucket/prefix, found {place}")
        texts = {file.name: file.read_bytes() for file in folder.iterdir() if _is_added(file.name) and file.is_file()}
    return {name: text.decode("utf-8") for name, text in texts.items()}


def _is_added(name: str) -> bool:
    return name.endswith((".sql", ".yml")) and "/" not in name and not name.startswith(".")


def _names(files: Collection[str], part: str) -> set[str]:
    return {Path(file).stem for file in files if file.startswith(f"{part}/") and file.endswith(".sql")}


def _added_path(name: str, taken: Collection[str]) -> str:
    """Where an added file goes: staging models beside the packaged ones, all else by itself."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{SETTING}: expected the file of a dbt model, small letters, digits and _ before .sql or .yml, "
            f"found {name!r}"
        )
    stem, _, suffix = name.partition(".")
    if suffix == "sql" and stem in taken:
        raise UsageError(
            f"{SETTING}: {name}: the dbt project has a model {stem} already; give the added model another name"
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
