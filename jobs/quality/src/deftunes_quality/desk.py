"""What a gate works with."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import SparkSession

from deftunes_contract.allowances import NONE_ALLOWED, Allowances
from deftunes_contract.settings import LakeSettings
from deftunes_contract.shelf import Shelf


@dataclass(frozen=True)
class Desk:
    """The session, where the lake is, its shelf, and what the caller allows."""

    spark: SparkSession
    settings: LakeSettings
    shelf: Shelf
    allowances: Allowances = NONE_ALLOWED
