"""Settings of the transform: those of the lake, and how closely a delivery is checked."""

from __future__ import annotations

from pydantic import Field

from deftunes_lake.settings import SparkSettings


class TransformSettings(SparkSettings):
    """Where the lake is, how Spark works on it, and whether landed objects are hashed again before they are read."""

    verify_landing: bool = Field(
        True,
        alias="DEFTUNES_VERIFY_LANDING",
        description="compare size and sha256 of every landed object with the receipt; false: only that it is there",
    )
