"""Settings that every stage shares. *Where* things are comes from the environment; *what and when* from argv.

Each stage derives its own frozen settings from `LakeSettings`; they are built once, in its `__main__`, and all
missing names are reported together. docs/settings.md lists them all, and a test compares it with the code.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deftunes_contract.errors import UsageError
from deftunes_contract.layout import TRANSFORM_ZONE
from deftunes_contract.paths import bucket_and_key, in_s3, local_folder
from deftunes_contract.redaction import register, register_environment, register_userinfo


def stripped(value: str, *, quotes: bool = True) -> str:
    """A setting without what files, editors and `echo` put around it: white space, a byte order mark, quotes."""
    bare = value.strip().strip("\ufeff").strip()
    if quotes and len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'":
        bare = bare[1:-1].strip()
    return bare


def read_secret(path: Path, name: str) -> str:
    """A secret out of a mounted file, stripped like any setting. Raises UsageError that names the variable."""
    try:
        value = stripped(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{name}: expected a readable file at {path}, found {type(error).__name__}; mount the secret there"
        ) from None
    register(value)
    register_userinfo(value)
    return value


MANY_LINES: dict[str, Any] = {"lines": "many"}
"""`json_schema_extra` of a setting that may be written over several lines, as a list of pairs in a manifest is."""


class Settings(BaseSettings):
    """Base of all settings: frozen, and every text stripped alike before it is looked at."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        bare = stripped(value, quotes=not str(info.field_name).endswith("password"))
        many = cls.model_fields[str(info.field_name)].json_schema_extra == MANY_LINES
        if any((ord(c) < 0x20 and not (many and c in "\n\r\t")) or ord(c) == 0x7F for c in bare):
            raise ValueError("expected one line, found a line break or another control character in the middle")
        return bare


class LogSettings(Settings):
    """How log lines look."""

    log_format: Literal["auto", "json", "text"] = Field(
        "auto", alias="DEFTUNES_LOG_FORMAT", description="auto is text on a terminal and JSON elsewhere"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="DEFTUNES_LOG_LEVEL", description="lowest level that is written"
    )
    shared: bool = Field(
        False,
        alias="DEFTUNES_SHARE_FILES",
        description="true: other accounts of this machine may read what is written; else files are 0600, folders 0700",
    )


class LakeSettings(LogSettings):
    """Where the lake is."""

    lake: str = Field(
        alias="DEFTUNES_LAKE", min_length=1, description="root of the lake: s3://bucket/prefix or a folder"
    )
    catalog: str = Field(
        "", alias="DEFTUNES_CATALOG", description="glue, or sqlite:///FILE; default: glue for s3, LAKE/catalog.db else"
    )
    database: str = Field(
        "deftunes_transform", alias="DEFTUNES_DATABASE", description="catalog database of the Iceberg tables"
    )

    @property
    def is_glue(self) -> bool:
        """Whether the catalog is AWS Glue."""
        return (self.catalog or ("glue" if in_s3(self.lake) else "")) == "glue"

    @property
    def catalog_file(self) -> str:
        """Local file of the SQL catalog. Raises UsageError when the catalog is Glue or of an unknown form."""
        if self.is_glue:
            raise UsageError("DEFTUNES_CATALOG is glue: it has no catalog file")
        if not self.catalog:
            return f"{self.lake_root}/catalog.db"
        if not self.catalog.startswith("sqlite:///"):
            raise UsageError(f"DEFTUNES_CATALOG: expected glue or sqlite:///FILE, found {self.catalog!r}")
        return str(local_folder(self.catalog.removeprefix("sqlite://"), "DEFTUNES_CATALOG"))

    @property
    def lake_root(self) -> str:
        """Root of the lake: s3://bucket/prefix, or the folder's absolute path. Raises UsageError."""
        if not in_s3(self.lake):
            return str(local_folder(self.lake))
        bucket, prefix = bucket_and_key(self.lake)
        return f"s3://{bucket}/{prefix}".rstrip("/")

    @property
    def warehouse(self) -> str:
        """Root of the Iceberg tables."""
        return f"{self.lake_root}/{TRANSFORM_ZONE}"


S = TypeVar("S", bound=BaseSettings)


def from_environment(kind: type[S], **given: object) -> S:
    """Build settings from the environment. Raises UsageError that names every missing or wrong variable at once.

    What they hold of secrets is never shown from here on, in any output of this process.
    """
    return all_from_environment([kind], **given)[0]


def all_from_environment(kinds: Sequence[type[S]], **given: object) -> list[S]:
    """Several settings, as `from_environment`: the error names what is missing or wrong in any of them."""
    register_environment(os.environ)
    found, faults = [], []
    for kind in kinds:
        try:
            found.append(kind(**given))  # type: ignore[arg-type]  # pydantic validates the values it is handed
        except ValidationError as error:
            faults += _faults(error)
    if faults:
        raise UsageError(f"settings are incomplete or wrong: {'; '.join(dict.fromkeys(faults))}. See docs/settings.md")
    for settings in found:
        for value in settings.__dict__.values():
            if isinstance(value, SecretStr):
                register(value.get_secret_value())
                register_userinfo(value.get_secret_value())
    return found


def _faults(error: ValidationError) -> list[str]:
    """Every fault with the name of its variable, without the value."""
    faults = []
    for fault in error.errors(include_input=False):
        place, said = ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")
        faults.append(f"{place}: {said}" if place else said)
    return faults
