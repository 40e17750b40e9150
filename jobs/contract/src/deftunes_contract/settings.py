"""Settings that every stage shares. *Where* things are comes from the environment; *what and when* from argv.

Each stage derives its own frozen settings from `LakeSettings`; they are built once, in its `__main__`, and all
missing names are reported together. docs/settings.md lists them all, and a test compares it with the code.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deftunes_contract.exits import UsageError
from deftunes_contract.places import bucket_and_key, in_s3, local_folder
from deftunes_contract.zones import TRANSFORM_ZONE


class LogSettings(BaseSettings):
    """How log lines look."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    log_format: Literal["auto", "json", "text"] = Field(
        "auto", alias="DEFTUNES_LOG_FORMAT", description="auto is text on a terminal and JSON elsewhere"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="DEFTUNES_LOG_LEVEL", description="lowest level that is written"
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
    """Build settings from the environment. Raises UsageError that names every missing or wrong variable at once."""
    try:
        return kind(**given)  # type: ignore[arg-type]  # pydantic validates the values it is handed
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise UsageError(f"settings are incomplete or wrong: {faults}. See docs/settings.md") from None
