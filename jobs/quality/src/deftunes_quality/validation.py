"""Running a suite with Great Expectations.

Data flow: `Suite` + staged rows → one result per check. A first run counts; what failed on rows is asked again for
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

from deftunes_contract.errors import StageError
from deftunes_quality.checks import Check
from deftunes_quality.privacy import EXAMPLES, shown_row, shown_value
from deftunes_quality.suites import Suite

COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}
ASKED = 2 * EXAMPLES
"""Offending values asked for; several may be equal, and EXAMPLES of them are shown."""


@dataclass(frozen=True)
class Judged:
    """What one check said. found: GX's own result fields. examples: masked."""

    check: Check
    passed: bool
    found: Mapping[str, Any]
    examples: tuple[str, ...] = ()


def run_suite(suite: Suite, rows: DataFrame) -> tuple[Judged, ...]:
    """Judge every check. Raises StageError (a bug, not a refusal) when Great Expectations could not judge one."""
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
    pandas_source = context.data_sources.add_pandas("figures")
    on_figures = pandas_source.add_dataframe_asset("figures").add_batch_definition_whole_dataframe("interval")
    row_checks = [check for check in suite.checks if check.figure is None]
    figure_checks = [check for check in suite.checks if check.figure is not None]
    figures = pd.DataFrame({column(check): [check.figure] for check in figure_checks})
    results = [
        *_validate(on_rows, rows, f"{suite.entity.name} rows", row_checks),
        *_validate(on_figures, figures, f"{suite.entity.name} figures", figure_checks),
    ]
    judged = list(_collect(suite.checks, results))
    return tuple(_with_examples(suite, judged, on_rows, rows))


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


def _collect(checks: Sequence[Check], found: Sequence[ExpectationValidationResult]) -> Iterator[Judged]:
    results = {_key(result): result for result in found}
    for check in checks:
        result = results.pop(str(check.expectation.description), None)
        if result is None:
            raise StageError(f"expected a result for {check.expectation.description!r}, Great Expectations gave none")
        if message := _exception(result.exception_info):
            raise StageError(f"Great Expectations could not judge {check.rule.id} ({check.expected}): {message}")
        yield Judged(check, bool(result.success), dict(result.result))
    if results:
        raise StageError(f"Great Expectations judged what was not asked: {sorted(results)}")


def _exception(information: Mapping[str, Any] | None) -> str | None:
    """GX reports an exception flat, or below the id of the metric that raised it."""
    for part in [information or {}, *(v for v in (information or {}).values() if isinstance(v, dict))]:
        if part.get("raised_exception"):
            return str(part.get("exception_message")).strip()
    return None


def _with_examples(
    suite: Suite, judged: Sequence[Judged], batches: BatchDefinition[Any], rows: DataFrame
) -> Iterator[Judged]:
    """Ask what failed on rows for offending values, and add them, masked."""
    failed = [one.check for one in judged if not one.passed and "unexpected_count" in one.found]
    examples: dict[str, tuple[str, ...]] = {}
    for keys in {_keys(suite, check) for check in failed}:
        asked = [check for check in failed if _keys(suite, check) == keys]
        examples |= _examples(suite, keys, asked, batches, rows)
    for one in judged:
        yield replace(one, examples=examples.get(str(one.check.expectation.description), ()))


def _keys(suite: Suite, check: Check) -> tuple[str, ...]:
    """Columns that tell where a null is; empty for checks whose offending values say it themselves."""
    if check.rule.kind not in ("complete", "conform"):
        return ()
    return tuple(key for key in suite.entity.key if key != column(check))


def _examples(
    suite: Suite, keys: tuple[str, ...], checks: Sequence[Check], batches: BatchDefinition[Any], rows: DataFrame
) -> dict[str, tuple[str, ...]]:
    """A check's description → its examples, masked; all checks in one go, as their queries are shared."""
    batch = batches.get_batch(batch_parameters={"dataframe": rows})
    asked: dict[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": ASKED}
    if keys:
        asked |= {"result_format": "SUMMARY", "unexpected_index_column_names": list(keys)}
    page = batch.validate(
        gx.ExpectationSuite(name="examples", expectations=[check.expectation for check in checks]), result_format=asked
    )
    columns = {str(check.expectation.description): column(check) for check in checks}
    examples: dict[str, tuple[str, ...]] = {}
    for result in page.results:
        name, found = columns[_key(result)], result.result
        values = found.get("partial_unexpected_index_list" if keys else "partial_unexpected_list") or []
        texts = [_shown(suite, name, value) for value in values]
        examples[_key(result)] = tuple(dict.fromkeys(texts))[:EXAMPLES]
    return examples


def _shown(suite: Suite, name: str, value: object) -> str:
    """One offending value; a combination of columns comes as a dict."""
    if isinstance(value, dict):
        return shown_row(suite.entity, value)
    return shown_row(suite.entity, {name: value}) if value is None else shown_value(suite.entity, name, value)
