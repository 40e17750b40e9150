"""What needs no Spark: masking, imports, sentences."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from deftunes_contract.entity import INTERVAL_KINDS, ROW_KINDS
from deftunes_contract.interval import Interval
from deftunes_contract.load_metrics import LoadMetrics
from deftunes_contract.registry import load, registry
from deftunes_contract.stage_cli import run_stage
from deftunes_quality import __main__ as stage
from deftunes_quality.checks import SkipCheck, ValidationContext
from deftunes_quality.interval_checks import freshness, volume
from deftunes_quality.masking import LONGEST, masked, shown_record, shown_row, shown_value
from deftunes_quality.metrics import Quarantined


@pytest.mark.parametrize(
    ("value", "shown"),
    [("8f14e45f-ceea-4672-9af2-5d0e8c1a2b3c", "8f14…"), ("Anna", "A…"), ("Jo", "…"), ("", "…"), ("Karenina", "Ka…")],
)
def test_a_masked_value_shows_four_characters_and_never_more_than_a_third(value: str, shown: str) -> None:
    assert masked(value) == shown


def test_columns_are_masked_as_the_contract_says() -> None:
    users, songs = load("users"), load("songs")
    assert shown_value(users, "user_lastname", "Karenina-Wronskaja") == "Kare…"
    assert shown_value(users, "country_code", "Germany") == "Germany"
    assert shown_value(users, "user_id", None) == "null"
    assert shown_value(songs, "title", "Line\nbreak " + "x" * 200).endswith("x…")
    assert len(shown_value(songs, "title", "x" * 200)) == LONGEST
    assert shown_row(load("sessions"), {"user_id": "a" * 36, "item_no": 3}) == "user_id=aaaa… item_no=3"


def test_of_raw_records_only_harmless_texts_are_shown() -> None:
    record = {
        "user_id": "8f14e45f-ceea-4672-9af2-5d0e8c1a2b3c",
        "user_location": ["52.5200", "13.4050", "Berlin", "DE", "Europe/Berlin"],
        "nickname": "Annuschka the Great",
        "country_code": "DE",
    }
    shown = shown_record(load("users"), json.dumps(record))
    assert json.loads(shown) == {
        "user_id": "8f14…",
        "user_location": ["52…", "13…", "Be…", "…", "Euro…"],
        "nickname": "Annu…",
        "country_code": "DE",
    }
    session = shown_record(load("sessions"), json.dumps({"session_items": [{"song_id": "TRAAA", "price": 9.5}]}))
    assert json.loads(session) == {"session_items": [{"song_id": "TRAAA", "price": 9.5}]}
    assert shown_record(load("users"), '{"user_name": "Anna Karenina') == '{"us… (28 characters, not JSON)'
    assert shown_record(load("songs"), "TR1\tA title\t" + "x" * 200).startswith("TR1 A title x")
    assert len(shown_record(load("users"), json.dumps({f"field{n}": n for n in range(99)}))) == LONGEST


def test_every_kind_of_rule_has_its_checks() -> None:
    from deftunes_quality.validate import CHECKS

    assert set(CHECKS) == ROW_KINDS | INTERVAL_KINDS


@pytest.mark.parametrize(
    ("before", "ratio", "least", "most"), [(800, 0.05, 40, 16_000), (801, 0.05, 41, 16_020), (100, 0.07, 7, 2_000)]
)
def test_volume_bounds_are_whole_rows_inside_the_ratios(before: int, ratio: float, least: int, most: int) -> None:
    """To the row: 0.07 * 100 as floats is a little above 7, and would ask for 8."""

    users, month = load("users"), Interval(date(2020, 3, 1), date(2020, 4, 1))
    staged = LoadMetrics(
        entity="users",
        ingest_on=month.ingest_on,
        run_id="r1",
        contract_version=users.version,
        receipt="",
        landed_records=40,
        landed_units=40,
        landed_amount=None,
        rows=40,
        amount=None,
        quarantined_units=0,
        quarantined_amount=None,
    )
    facts = ValidationContext(
        entity=users,
        interval=month,
        staged=staged,
        previous=staged.model_copy(update={"rows": before}),
        quarantined=Quarantined(0, Decimal(0), {}),
        faults={},
        unmatched={},
    )
    rule = replace(users.rule("users_volume"), parameters={"minRatio": ratio, "maxRatio": 20})
    (check,) = volume(rule, facts)
    bounds = check.expectation.configuration.kwargs
    assert (bounds["min_value"], bounds["max_value"]) == (least, most)


def _context(
    entity: str, landed_at: datetime | None, *, partial: bool = False, before_partial: bool = False
) -> ValidationContext:
    month = Interval(date(2020, 2, 1), date(2020, 3, 1))
    staged = LoadMetrics(
        entity=entity, ingest_on=month.ingest_on, run_id="r1", contract_version="1.0.0", receipt="0" * 64,
        landed_records=40, landed_units=40, landed_amount=None, rows=40, amount=None, quarantined_units=0,
        quarantined_amount=None, partial=partial, landed_at=landed_at,
    )  # fmt: skip
    return ValidationContext(
        entity=load(entity), interval=month, staged=staged,
        previous=staged.model_copy(update={"rows": 1000, "partial": before_partial}),
        quarantined=Quarantined(0, Decimal(0), {}), faults={}, unmatched={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("landed_at", "partial", "least"),
    [
        (datetime(2020, 2, 25, 12, tzinfo=UTC), False, datetime(2020, 2, 10)),
        (datetime(2020, 2, 25, 12, tzinfo=UTC), True, datetime(2020, 2, 5, 12)),
        (datetime(2020, 2, 25, 12, tzinfo=timezone(timedelta(hours=2))), True, datetime(2020, 2, 5, 10)),
        (datetime(2020, 3, 5, tzinfo=UTC), True, datetime(2020, 2, 10)),
        (None, True, datetime(2020, 2, 10)),
    ],
)
def test_freshness_is_measured_from_what_can_be_known(
    landed_at: datetime | None, partial: bool, least: datetime
) -> None:
    """Twenty days before the month's end, or before it was read when it was not over then."""
    (check,) = freshness(load("sessions").rule("sessions_stale"), _context("sessions", landed_at, partial=partial))
    assert check.expectation.configuration.kwargs["min_value"] == least


def test_a_part_of_a_month_is_not_compared_with_a_whole_one() -> None:
    for entity in ("users", "sessions"):
        rule = load(entity).rule(f"{entity}_volume")
        with pytest.raises(SkipCheck, match="2020-02 was not over"):
            volume(rule, _context(entity, None, partial=True))
        with pytest.raises(SkipCheck, match="2020-01 is provisional"):
            volume(rule, _context(entity, None, before_partial=True))
        assert volume(rule, _context(entity, None))
    # a catalogue is whole on every day
    assert volume(load("songs").rule("songs_volume"), _context("songs", None, partial=True, before_partial=True))


def test_great_expectations_is_imported_late_and_calls_nobody() -> None:
    """Half the stage's start is this import: nobody pays it who has nothing to judge."""
    program = (
        "import sys, os; import deftunes_quality.__main__; assert 'great_expectations' not in sys.modules; "
        "import deftunes_quality.validate; assert 'great_expectations' in sys.modules; "
        "print(os.environ['GX_ANALYTICS_ENABLED'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "false"), done.stderr


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_stage("deftunes-quality", stage.run, ["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "deftunes-quality users sessions --start 2020-01-01 --end 2020-02-01" in shown
    assert "65 a gate closed" in shown
    assert all(name in shown for name in registry().names)
