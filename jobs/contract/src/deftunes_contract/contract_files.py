"""The files that the registry is made of: the packaged contracts, and those in the place that DEFTUNES_CONTRACTS names.

The place is a folder or an S3 prefix, and flat, so that a ConfigMap can be it: `*.yaml` are contracts and overlays,
`*.sql` and `*.yml` belong to the dbt project.
"""

from __future__ import annotations

from importlib.resources import files

from deftunes_contract.errors import UsageError
from deftunes_contract.object_store import ObjectStore, open_store
from deftunes_contract.paths import bucket_and_key, in_s3, local_folder
from deftunes_contract.store_errors import in_context

SETTING = "DEFTUNES_CONTRACTS"
_LARGEST = 1 << 20
"""Bytes of one file: the largest ConfigMap has as many."""


def packaged_contracts() -> dict[str, str]:
    """File name → text of the contracts of this package."""
    folder = files("deftunes_contract") / "entities"
    return {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".yaml")}


def added_files(place: str, *endings: str) -> dict[str, str]:
    """Address → text of the files in a place whose names end so; empty when `place` is.

    Raises UsageError when the place has no files or a file is no text, StoreError when it cannot be read.
    """
    if not place:
        return {}
    with in_context(f"{SETTING} to be a folder or an s3:// prefix with contracts", "nothing was started"):
        store, folder = _store_and_folder(place)
        # what lies deeper is not looked at: a mounted ConfigMap keeps its versions in hidden folders
        paths = sorted(path for path in store.list(folder) if path.count("/") == folder.count("/") + 1)
        if not paths:
            raise UsageError(f"{SETTING}: expected files at {place}, found none; correct or unset it")
        found = {}
        for path in paths:
            if path.endswith(endings) and (content := store.read(path)) is not None:
                found[store.uri(path)] = _text(store.uri(path), content)
    return found


def _store_and_folder(place: str) -> tuple[ObjectStore, str]:
    """The store around a place, and the place's path in it."""
    if in_s3(place):
        bucket, prefix = bucket_and_key(place, SETTING)
        if not prefix:
            raise UsageError(f"{SETTING}: expected s3://bucket/prefix, found {place!r}: a bucket without a prefix")
        return open_store(f"s3://{bucket}"), prefix
    folder = local_folder(place, SETTING).resolve()
    if not folder.is_dir():
        raise UsageError(f"{SETTING}: expected a folder at {folder}, found none; correct or unset it")
    return open_store(str(folder.parent)), folder.name


def _text(where: str, content: bytes) -> str:
    if len(content) > _LARGEST:
        raise UsageError(f"{where}: expected at most {_LARGEST:,} bytes, found {len(content):,}; split the file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: expected UTF-8, found {error.reason} at byte {error.start}") from None
