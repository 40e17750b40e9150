"""Extract counts what transform and verify find: whatever a source sends, every record ends published or quarantined.

Records are mutated at random (the same ones in every run) and validated in a few batches; units and money must be
those of extract's own figures, record by record, or a strange record would stop its whole month.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deftunes_contract.registry import load
from deftunes_serving.verify.landing_recount import _Tally

PRICES = [0.33, 1, 0, -0.0, 2.01, -5, 99999999.99, 1e8, 1e400, 1e-7, 1.005, 0.1 + 0.2, 1e2, "1.03", True, None, [], {}]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec=None, exclude_categories=[]), max_size=8),
    st.sampled_from(["", "NaN", "2020-01-05T00:00:00", "[", "{}", "\\N", "\0", "\u2028", "\ud800"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["price", "a", "_"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[Any], str]:
    """A way to spoil a record: values replaced, removed or added anywhere, names doubled."""
    steps = draw(st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 6), VALUES), max_size=3))
    white = draw(st.sampled_from([None, 1]))
    escaped = draw(st.booleans())
    doubled = draw(
        st.none() | st.sampled_from(['"price":7.5,', '"price":"7.5",', '"session_items":[],', '"liked":"x",'])
    )

    def spoil(record: Any) -> str:
        for place, what, value in steps:
            record = _mutated(record, random.Random(place), what, value)
        text = json.dumps(record, indent=white, ensure_ascii=escaped).replace("\n", " ")
        if doubled:
            places = [place for place, letter in enumerate(text) if letter == "{"]
            if places:
                place = places[len(places) // 2]
                closes = text[place + 1 :].lstrip().startswith("}")
                text = text[: place + 1] + (doubled[:-1] if closes else doubled) + text[place + 1 :]
        return text

    return spoil


def _mutated(record: Any, dice: random.Random, what: int, value: Any) -> Any:
    path = []
    node = record
    while isinstance(node, dict | list) and node and (not path or dice.random() < 0.7):
        key = dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node))
        path.append((node, key))
        node = node[key]
    if not path:
        return value
    holder, key = path[-1]
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, dict):
        holder["unknown"] = value
    elif what == 2 and isinstance(holder, list):
        holder.insert(key, value)
    elif what == 3:
        holder[key] = dice.choice(PRICES)
    elif what == 4 and path[:1] == path:
        return [record] if dice.random() < 0.1 else record
    else:
        holder[key] = value
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON, and extract refuses the reply")


@pytest.fixture(scope="module")
def agree(validator, figures_of) -> Callable[[str, list[str]], int]:
    """Compares both counts for every line; returns how many units were quarantined."""

    def compare(entity: str, lines: list[str]) -> int:
        lines = sorted(set(lines))
        found: dict[int, list[Any]] = defaultdict(list)
        for row in validator.frame(entity, lines).collect():
            found[row.line_hash].append(row)
        hashes = {row.line: row.line_hash for row in validator.lines(lines).collect()}
        assert len(hashes) == len(lines)
        for line in lines:
            rows = found[hashes[line]]
            figures = figures_of(entity, [line])
            assert len(rows) == figures["units"], line
            if figures["amount"] is not None:
                assert sum((row.price or Decimal(0) for row in rows), Decimal(0)) == figures["amount"], line
            counted_again = _Tally(load(entity))
            counted_again.add(iter([line.encode()]))
            assert counted_again.figures.units == figures["units"], line
            assert counted_again.figures.amount == figures["amount"], line
        return sum(1 for rows in found.values() for row in rows if row.failed_rules)

    return compare


@pytest.mark.parametrize("entity", ["users", "sessions"])
def test_mutants_are_published_or_quarantined_and_counted_alike(agree, samples, entity: str) -> None:
    lines: list[str] = []
    make = {"users": samples.user, "sessions": samples.session}[entity]

    @settings(
        max_examples=400,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations())
    def gather(spoil: Callable[[Any], str]) -> None:
        # a line with half a surrogate pair unescaped is no UTF-8, and extract refuses the reply that holds it
        text = spoil(make()).encode("utf-8", "replace").decode()
        with suppress(ValueError):
            json.loads(text, parse_constant=_refuse)
            lines.append(text)

    gather()
    assert len(set(lines)) > 200
    bad = agree(entity, lines)
    assert bad > 100


def test_prices_are_read_alike(agree, samples) -> None:
    dice = random.Random(1)
    prices: list[Any] = [price for price in PRICES if price != 1e400]
    prices += [round(dice.uniform(-3, 3), 2) for _ in range(200)]
    prices += [round(dice.uniform(0, 1e8), dice.choice([1, 2, 3])) for _ in range(200)]
    prices += [dice.uniform(0, 2) for _ in range(100)] + [cents / 100 for cents in range(200)]
    prices += [10**12 + 0.01, 99999999.995, 100000000.01, 0.285, 1.115, 33.335, 10**400, 5e-324]
    lines = [json.dumps(samples.session(1, items=[samples.item(price=price)])) for price in prices]
    texts = ["1e400", "1E0", "1.0e0", "103e-2", "1.0300000000000000001", "0.1e1", "1" + "0" * 4400, "-1.5e-1"]
    item = json.dumps(samples.session(1, items=[samples.item(price=123.25)]))
    agree("sessions", lines + [item.replace("123.25", text) for text in texts])


def test_odd_shapes_are_counted_alike(agree, samples) -> None:
    item = json.dumps(samples.item())
    line = json.dumps(samples.session(items=["@"]))
    elements = [
        "null",
        "5",
        json.dumps(item),
        "[1]",
        "{}",
        item,
        '{"price":7.5,' + item[1:],
        item[:-1] + ',"price":"x"}',
    ]
    lines = [line.replace('"@"', f"{item},{element},{item}") for element in elements]
    lines += [
        line.replace('["@"]', items) for items in ("null", "[]", "{}", '"[]"', "5", f"[{item}" + f",{item}" * 999 + "]")
    ]
    lines += ["null", "[]", "{}", "5", '"x"', f"[{line}]"]
    lines += [
        line.replace('"@"', item)[:-1] + ',"session_items":5}',
        '{"session_items":5,' + line.replace('"@"', item)[1:],
    ]
    lines += [line.replace('"@"', f'{{"deep":{"[" * 900}{"]" * 900},{item[1:]},{{"price":"x"}}')]
    lines += [line.replace('"@"', item.replace("1.03", "1" + "0" * 5000))]
    # what nobody asked for may hold anything: a long number, a deep value, half a surrogate pair, one field twice
    odd = ["7" * 5000, "[" * 900 + "]" * 900, '"\\ud800"', "-0.0", "1e400", '{"price":1,"price":2}']
    lines += [line.replace('"@"', f"{item},{item}").replace("{", f'{{"unknown":{value},', 1) for value in odd]
    agree("sessions", lines)
