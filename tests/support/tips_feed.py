"""A feed that no packaged file knows: the contract and the models of `tips`, as somebody would write them."""

from __future__ import annotations

from pathlib import Path

from deftunes_contract import registry

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: test.tips
name: Tips
version: 1.0.0
status: active
description: {purpose: What was given beside the price., usage: Sum amount., limitations: None.}
servers:
  - {server: jar, type: api, location: "${DEFTUNES_JAR_URL}"}
schema:
  - name: tips
    physicalName: tips
    physicalType: table
    logicalType: object
    dataGranularityDescription: tip_id
    properties:
      - {name: tip_id, logicalType: string, physicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1, description: The tip.}
      - {name: amount, logicalType: number, physicalType: "decimal(10,2)", required: true, description: US dollars.}
      - {name: given_at, logicalType: timestamp, physicalType: timestamp, description: "When, UTC."}
      - {name: ingest_on, logicalType: date, physicalType: date, required: true, partitioned: true, partitionKeyPosition: 1, description: End of the data interval.}
      - {name: processing_timestamp, logicalType: timestamp, physicalType: timestamp, required: true, tags: [audit], description: "When the row was written, UTC."}
    quality:
      - {id: tip_id_complete, type: library, metric: missingValues, arguments: {column: tip_id, missingValues: [null, ""]}, mustBe: 0, severity: quarantine, description: Every tip has an id.}
      - {id: tip_amount_complete, type: library, metric: nullValues, arguments: {column: amount}, mustBe: 0, severity: quarantine, description: Every tip has an amount.}
      - {id: tips_arrived, type: custom, engine: deftunes, implementation: {kind: arrived, minRows: 1}, severity: fail, description: A month brings tips.}
      - {id: tips_reconcile, type: custom, engine: deftunes, implementation: {kind: reconcile}, severity: fail, description: Landed is published and quarantined.}
      - {id: tip_unique, type: library, metric: duplicateValues, arguments: {columns: [tip_id]}, mustBe: 0, severity: quarantine, description: A tip is given once.}
      - {id: tips_conform, type: custom, engine: deftunes, implementation: {kind: conform}, severity: quarantine, description: The record has its fields.}
  - name: tips_record
    physicalName: tips_record
    logicalType: object
    properties:
      - {name: tip_id, logicalType: string, physicalType: string}
      - {name: amount, logicalType: number, physicalType: double}
      - {name: given_at, logicalType: string, physicalType: string}
customProperties:
  - {property: server, value: jar}
  - {property: endpoint, value: {path: tips, params: {since: "{start}", until: "{end}"}}}
  - {property: landingFormat, value: jsonl}
  - {property: pipeline, value: tips}
  - {property: role, value: fact}
  - {property: eventTime, value: given_at}
  - {property: amount, value: amount}
  - {property: servingTable, value: fact_tip}
"""  # noqa: E501

FACT = """\
{{ config(materialized=persistent_materialization(), incremental_strategy='replace_intervals') }}

select *
from {{ ref('stg_tips') }}
where true
{% if replaces_intervals() %}
    and {{ in_requested_partitions('ingest_on') }}
{% endif %}
"""

VIEW = """\
{{ config(materialized='view') }}

select
    ingest_on,
    count(*) as tips,
    sum(amount) as total
from {{ ref('fact_tip') }}
group by ingest_on
"""

DESCRIBED = """\
models:
  - name: fact_tip
    description: "Tips. Grain: tip_id."
    data_tests:
      - unique_combination_of_columns:
          arguments: {combination_of_columns: [tip_id]}
"""


class TipsFolder:
    """A folder for DEFTUNES_CONTRACTS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self) -> None:
        """The contract, its fact, its view and what describes them."""
        self.write_text("tips.yaml", CONTRACT)
        self.write_text("fact_tip.sql", FACT)
        self.write_text("tips_per_month_vw.sql", VIEW)
        self.write_text("tips.yml", DESCRIBED)

    def write_text(self, file: str, text: str) -> None:
        """A file of the folder."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / file).write_text(text, encoding="utf-8")
        # a process reads its contracts once
        registry._registry.cache_clear()

    def remove(self, file: str) -> None:
        """Take a file away."""
        (self.folder / file).unlink()

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a text in a file."""
        text = (self.folder / file).read_text(encoding="utf-8")
        assert old in text
        self.write_text(file, text.replace(old, new))

    def add_column(self, name: str, after: str) -> None:
        """Add an optional text to the record and, below another column, to the table."""
        text = (self.folder / "tips.yaml").read_text(encoding="utf-8")
        (line,) = (line for line in text.splitlines() if f"- {{name: {after}," in line and "description" in line)
        added = f"      - {{name: {name}, logicalType: string, physicalType: string, description: Added later.}}"
        text = text.replace(line, f"{line}\n{added}")
        self.write_text("tips.yaml", text.replace("\ncustomProperties:", f"\n{added}\ncustomProperties:"))
