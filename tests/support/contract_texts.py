"""Contracts for tests: a small one that is right, from which a test changes one thing."""

from __future__ import annotations

from deftunes_contract.contract_parser import ContractParser
from deftunes_contract.entity import Entity
from deftunes_contract.yaml_document import YamlDocument

PAYMENTS = """\
apiVersion: v3.1.0
kind: DataContract
id: shop.payments
name: Payments
version: 1.0.0
status: active
servers:
  - {server: pay, type: api}
schema:
  - name: payments
    physicalName: payments
    logicalType: object
    physicalType: table
    dataGranularityDescription: payment_id
    properties:
      - {name: payment_id, logicalType: string, physicalType: string, required: true, primaryKey: true}
      - {name: method, logicalType: string, physicalType: string}
      - {name: currency, logicalType: string, physicalType: string}
      - {name: amount, logicalType: number, physicalType: "decimal(10,2)", required: true}
      - {name: paid_at, logicalType: timestamp, physicalType: timestamp, required: true}
      - {name: ingest_on, logicalType: date, physicalType: date, required: true, partitioned: true}
      - {name: processing_timestamp, logicalType: timestamp, physicalType: timestamp, required: true, tags: [audit]}
    quality:
      - id: payment_id_complete
        type: library
        metric: missingValues
        arguments: {column: payment_id, missingValues: [null, ""]}
        mustBe: 0
        severity: quarantine
      - id: amount_complete
        type: library
        metric: nullValues
        arguments: {column: amount}
        mustBe: 0
        severity: quarantine
      - id: paid_at_complete
        type: library
        metric: nullValues
        arguments: {column: paid_at}
        mustBe: 0
        severity: quarantine
      - id: payment_unique
        type: library
        metric: duplicateValues
        arguments: {columns: [payment_id]}
        mustBe: 0
        severity: quarantine
      - id: currency_known
        type: library
        metric: invalidValues
        arguments: {column: currency, validValues: [USD, EUR]}
        mustBe: 0
        severity: quarantine
      - id: amount_range
        type: custom
        engine: deftunes
        implementation: {kind: range, column: amount, min: 0, max: 500}
        severity: quarantine
      - id: payments_conform
        type: custom
        engine: deftunes
        implementation: {kind: conform}
        severity: quarantine
      - id: payments_reconcile
        type: custom
        engine: deftunes
        implementation: {kind: reconcile}
        severity: fail
      - id: payments_arrived
        type: custom
        engine: deftunes
        implementation: {kind: arrived, minRows: 1}
        severity: fail
  - name: payments_record
    physicalName: payments_record
    logicalType: object
    properties:
      - {name: payment_id, logicalType: string, physicalType: string}
      - {name: method, logicalType: string, physicalType: string}
      - {name: currency, logicalType: string, physicalType: string}
      - {name: amount, logicalType: number, physicalType: double}
      - {name: paid_at, logicalType: string, physicalType: string}
customProperties:
  - {property: server, value: pay}
  - {property: endpoint, value: {path: payments, params: {from: "{start}", to: "{end}"}}}
  - {property: landingFormat, value: jsonl}
  - {property: pipeline, value: payments}
  - {property: eventTime, value: paid_at}
  - {property: amount, value: amount}
  - {property: role, value: fact}
"""


def changed(old: str, new: str, text: str = PAYMENTS) -> str:
    """The text with one thing changed, which must be in it."""
    assert old in text, old
    return text.replace(old, new, 1)


def parsed(text: str, file: str = "payments.yaml") -> tuple[Entity | None, list[str]]:
    """The entity of one contract, and what is wrong with it as `FILE:LINE: message`."""
    document, problems = YamlDocument.parse(file, text)
    parser = ContractParser(document)
    servers = {server.name: server for server in parser.servers()}
    entity = parser.entity(servers)
    return entity, [str(problem) for problem in (*problems, *parser.problems)]


def refund_contract() -> str:
    """Refunds: rows of a database that refer to payments."""
    text = (
        PAYMENTS.replace("payments", "refunds").replace("payment_", "refund_").replace("shop.payments", "shop.refunds")
    )
    text = changed("{server: pay, type: api}", "{server: books, type: postgres}", text)
    text = changed("server, value: pay}", "server, value: books}", text)
    text = changed("pipeline, value: refunds}", "pipeline, value: books}", text)
    text = changed(
        '{property: endpoint, value: {path: refunds, params: {from: "{start}", to: "{end}"}}}',
        "{property: relation, value: {schema: books, table: refunds}}",
        changed("  - {property: landingFormat, value: jsonl}\n", "", text),
    )
    reference = """\
      - id: payment_reference
        type: custom
        engine: deftunes
        implementation: {kind: reference, column: method, entity: payments, references: payment_id, maxUnmatched: 0.1}
        severity: warn
"""
    return changed("      - id: refunds_arrived\n", reference + "      - id: refunds_arrived\n", text)
