"""What keeps the transform fast, checked on Spark's own plans rather than with a stop-watch."""

from __future__ import annotations

import re

import pytest

LARGEST_METHOD = 8000
"""Bytes of byte code; HotSpot never compiles a larger method (-XX:-DontCompileHugeMethods is not set)."""


@pytest.fixture(autouse=True)
def _as_in_production(spark):
    """Spark generates Java again for these plans: tests/conftest.py spares the others that."""
    spared = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
    before = {name: spark.conf.get(name) for name in spared}
    for name, value in spared.items():
        spark.conf.set(name, value)
    yield
    for name, value in before.items():
        spark.conf.set(name, value)


@pytest.fixture(params=["users", "sessions", "songs"])
def plan(request, validator, samples):
    record = {"users": samples.user, "sessions": samples.session, "songs": samples.song}[request.param]()
    return validator.frame(request.param, [record]).drop("rules")._jdf.queryExecution()


def test_generated_methods_are_small_enough_to_be_compiled(plan) -> None:
    found = plan.debug().codegenToSeq().iterator()
    sizes = []
    while found.hasNext():
        sizes.append(found.next()._3().maxMethodCodeSize())
    assert sizes
    assert max(sizes) < LARGEST_METHOD


def test_no_row_leaves_the_jvm_and_none_is_moved(plan) -> None:
    text = plan.executedPlan().toString()
    assert not re.findall(r"Python|Exchange|Sort\b", text)


def test_a_record_is_parsed_once(validator, samples) -> None:
    text = validator.frame("sessions", [samples.session()])._jdf.queryExecution().executedPlan().toString()
    whole = [
        line
        for line in text.splitlines()
        if re.search(r"from_json\(StructField\(record,StructType\(StructField\(user_id", line)
    ]
    assert len(whole) == 1
    assert len(re.findall(r"from_json\(StructField\(record,StructType\(StructField\(user_id", whole[0])) == 1
