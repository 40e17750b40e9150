"""Metrics of a staged snapshot: the hand-over from transform to quality, publish and verify.

The numbers travel as Iceberg snapshot summary properties, so they cannot be lost or mixed up with another snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, ValidationError

from deftunes_contract.errors import StageError

PREFIX = "deftunes."


class LoadMetrics(BaseModel):
    """Counts and money of one interval of one table, as the transform saw them.

    landed_units/landed_amount are the receipt's; rows/amount went into the table; quarantined_units/quarantined_amount
    went into quarantine under run_id. receipt is the sha256 of the receipt's list of objects. Amounts are None for
    entities without money. source, partial and landed_at (UTC) are the receipt's. contract_digest: sha256 of the
    effective contract by which the rows were validated.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    entity: str
    ingest_on: date
    run_id: str
    contract_version: str
    receipt: str
    landed_records: int
    landed_units: int
    landed_amount: Decimal | None
    rows: int
    amount: Decimal | None
    quarantined_units: int
    quarantined_amount: Decimal | None
    source: str = ""
    partial: bool = False
    landed_at: datetime | None = None
    contract_digest: str = ""

    def to_properties(self) -> dict[str, str]:
        """Snapshot summary properties; unset values are left out."""
        values = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return {f"{PREFIX}{name.replace('_', '-')}": str(value) for name, value in values.items()}

    @classmethod
    def from_properties(cls, properties: Mapping[str, str]) -> LoadMetrics | None:
        """Read a snapshot summary; None when the snapshot was not made by a transform. Raises StageError if torn."""
        own = {k.removeprefix(PREFIX).replace("-", "_"): v for k, v in properties.items() if k.startswith(PREFIX)}
        if not own:
            return None
        own = {"landed_amount": None, "amount": None, "quarantined_amount": None, **own}  # type: ignore[dict-item]
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            raise StageError(f"a snapshot carries torn deftunes.* properties: {error}") from None
