"""What a gate works with."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.object_store import ObjectStore
from deftunes_contract.settings import LakeSettings


@dataclass(frozen=True)
class Desk:
    """The session, where the lake is, its store, and what the caller allows."""

    spark: SparkSession
    settings: LakeSettings
    store: ObjectStore
    allowances: Allowances = NONE_ALLOWED
