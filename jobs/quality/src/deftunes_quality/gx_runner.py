"""Running a suite with Great Expectations.

Data flow: checks + staged rows → one result per check. A first run counts; what failed on rows is queried again for
examples. Everything stays in this process: the context is ephemeral and no result leaves it, because examples are
masked before anybody keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from pyspark.sql import DataFrame

from deftunes_contract.entity import Entity
from deftunes_contract.errors import StageError
from deftunes_quality.checks import Check
from deftunes_quality.masking import EXAMPLES, shown_row, shown_value

COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}
REQUESTED = 2 * EXAMPLES
"""Offending values requested; several may be equal, and EXAMPLES of them are shown."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. found: GX's own result fields. examples: masked."""

    check: Check
    passed: bool
    found: Mapping[str, Any]
    examples: tuple[str, ...] = ()


def run_checks(entity: Entity, checks: Sequence[Check], rows: DataFrame) -> tuple[CheckResult, ...]:
    """The result of every check. Raises StageError (a bug, not bad data) when Great Expectations could not run one."""
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        ),
    )
    # not cached: every query reads the few columns that it needs, which takes half the time of filling a cache with
    # a million rows, and no longer than one with two thousand; and what GX caches it never lets go
    spark_source = context.data_sources.add_spark("rows", persist=False)
    on_rows = spark_source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("interval")
    pandas_source = context.data_sources.add_pandas("metrics")
    on_metrics = pandas_source.add_dataframe_asset("metrics").add_batch_definition_whole_dataframe("interval")
    row_checks = [check for check in checks if check.metric is None]
    metric_checks = [check for check in checks if check.metric is not None]
    metrics = pd.DataFrame({column(check): [check.metric] for check in metric_checks})
    found = [
        *_validate(on_rows, rows, f"{entity.name} rows", row_checks),
        *_validate(on_metrics, metrics, f"{entity.name} metrics", metric_checks),
    ]
    results = list(_collect(checks, found))
    return tuple(_with_examples(entity, results, on_rows, rows))


def column(check: Check) -> str:
    """The column that a check looks at; empty for the whole table."""
    return str(check.expectation.configuration.kwargs.get("column", ""))


def _validate(
    batches: BatchDefinition[Any], frame: DataFrame | pd.DataFrame, name: str, checks: Sequence[Check]
) -> list[ExpectationValidationResult]:
    suite = gx.ExpectationSuite(name=name, expectations=[check.expectation for check in checks])
    batch = batches.get_batch(batch_parameters={"dataframe": frame})
    return list(batch.validate(suite, result_format=COUNTS).results)


def _key(result: ExpectationValidationResult) -> str:
    """A check's description names its rule and its part of it, so it is unique within a suite."""
    return str(result.expectation_config.description) if result.expectation_config else ""


def _collect(checks: Sequence[Check], found: Sequence[ExpectationValidationResult]) -> Iterator[CheckResult]:
    results = {_key(result): result for result in found}
    for check in checks:
        result = results.pop(str(check.expectation.description), None)
        if result is None:
            raise StageError(f"expected a result for {check.expectation.description!r}, Great Expectations gave none")
        if message := _exception(result.exception_info):
            raise StageError(f"Great Expectations could not run {check.rule.id} ({check.expected}): {message}")
        yield CheckResult(check, bool(result.success), dict(result.result))
    if results:
        raise StageError(f"Great Expectations returned results of unknown checks: {sorted(results)}")


def _exception(information: Mapping[str, Any] | None) -> str | None:
    """GX reports an exception flat, or below the id of the metric that raised it."""
    for part in [information or {}, *(v for v in (information or {}).values() if isinstance(v, dict))]:
        if part.get("raised_exception"):
            return str(part.get("exception_message")).strip()
    return None


def _with_examples(
    entity: Entity, results: Sequence[CheckResult], batches: BatchDefinition[Any], rows: DataFrame
) -> Iterator[CheckResult]:
    """Query what failed on rows for offending values, and add them, masked."""
    failed = [one.check for one in results if not one.passed and "unexpected_count" in one.found]
    examples: dict[str, tuple[str, ...]] = {}
    for keys in {_keys(entity, check) for check in failed}:
        group = [check for check in failed if _keys(entity, check) == keys]
        examples |= _examples(entity, keys, group, batches, rows)
    for one in results:
        yield replace(one, examples=examples.get(str(one.check.expectation.description), ()))


def _keys(entity: Entity, check: Check) -> tuple[str, ...]:
    """Columns that tell where a null is; empty for checks whose offending values show it themselves."""
    if check.rule.kind not in ("complete", "conform"):
        return ()
    return tuple(key for key in entity.key if key != column(check))


def _examples(
    entity: Entity, keys: tuple[str, ...], checks: Sequence[Check], batches: BatchDefinition[Any], rows: DataFrame
) -> dict[str, tuple[str, ...]]:
    """A check's description → its examples, masked; all checks in one go, as their queries are shared."""
    batch = batches.get_batch(batch_parameters={"dataframe": rows})
    result_format: dict[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": REQUESTED}
    if keys:
        result_format |= {"result_format": "SUMMARY", "unexpected_index_column_names": list(keys)}
    page = batch.validate(
        gx.ExpectationSuite(name="examples", expectations=[check.expectation for check in checks]),
        result_format=result_format,
    )
    columns = {str(check.expectation.description): column(check) for check in checks}
    examples: dict[str, tuple[str, ...]] = {}
    for result in page.results:
        name, found = columns[_key(result)], result.result
        values = found.get("partial_unexpected_index_list" if keys else "partial_unexpected_list") or []
        texts = [_shown(entity, name, value) for value in values]
        examples[_key(result)] = tuple(dict.fromkeys(texts))[:EXAMPLES]
    return examples


def _shown(entity: Entity, name: str, value: object) -> str:
    """One offending value; a combination of columns comes as a dict."""
    if isinstance(value, dict):
        return shown_row(entity, value)
    return shown_row(entity, {name: value}) if value is None else shown_value(entity, name, value)
