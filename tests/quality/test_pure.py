"""What needs no Spark: masking, imports, sentences."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from deftunes_contract.entity import ENTITIES, INTERVAL_KINDS, ROW_KINDS, load
from deftunes_contract.grammar import run_stage
from deftunes_quality import __main__ as stage
from deftunes_quality.privacy import LONGEST, masked, shown_record, shown_row, shown_value


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
    from deftunes_quality.suites import CHECKS

    assert set(CHECKS) == ROW_KINDS | INTERVAL_KINDS


def test_great_expectations_is_imported_late_and_calls_nobody() -> None:
    """Half the stage's start is this import: nobody pays it who has nothing to judge."""
    program = (
        "import sys, os; import deftunes_quality.__main__; assert 'great_expectations' not in sys.modules; "
        "import deftunes_quality.judge; assert 'great_expectations' in sys.modules; "
        "print(os.environ['GX_ANALYTICS_ENABLED'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "false"), done.stderr


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run_stage("deftunes-quality", stage.work, ["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "deftunes-quality users sessions --start 2020-01-01 --end 2020-02-01" in shown
    assert "65 a gate closed" in shown
    assert all(name in shown for name in ENTITIES)
