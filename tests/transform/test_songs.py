"""Songs: PostgreSQL's COPY text, undone exactly."""

from __future__ import annotations

import csv
import gzip
import unicodedata
from pathlib import Path

import pytest

from deftunes_contract.registry import load
from deftunes_lake.tables import spark_schema

CONFORM = ["songs_conform"]
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "real" / "msd_subset_songs.csv.gz"
SET_BY_THE_RUN = {"ingest_on", "source_from", "processing_timestamp"}
ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}


def copied(text: str) -> str:
    """A text as COPY TO writes it."""
    return "".join(ESCAPES.get(character, character) for character in text)


def test_types_are_those_of_the_contract(validator, samples) -> None:
    frame = validator.frame("songs", [samples.song()])
    declared = {field.name: field.dataType for field in spark_schema(load("songs").columns)}
    validated = {field.name: field.dataType for field in frame.schema if field.name in declared}
    assert validated == {name: kind for name, kind in declared.items() if name not in SET_BY_THE_RUN}
    assert validator.frame("songs", []).schema == frame.schema


TEXTS = [
    "tab\there", "line\nfeed", "return\r", "back\\slash", "\\n is not a line end", "\\\\N", "\\t\t\\\\t", "\b\f\v",
    "\x01\x1f\x7f", "comma, \"quote\" 'apostrophe'", "Världen É Din 東京 😀", " spaces ", "",
    "ends with \\", "N", "\\.",
]  # fmt: skip


def test_texts_arrive_unchanged(validator, samples) -> None:
    rows = validator.validate("songs", *(samples.song(n, title=copied(text)) for n, text in enumerate(TEXTS)))
    assert [row.title for row in rows] == TEXTS
    assert {row.failed_rules for row in rows} == {0}


def test_null_is_told_from_texts_that_look_like_it(validator, samples) -> None:
    titles = {"\\N": None, "\\\\N": "\\N", "N": "N", "": "", "\\Nx": "Nx", "x\\N": "xN", "\\N\\": "N"}
    rows = validator.validate("songs", *(samples.song(title=title) for title in titles))
    assert [row.title for row in rows] == list(titles.values())


def test_numbers_are_read_exactly(validator, samples) -> None:
    changes = {"duration": "1e+20", "artist_familiarity": "-0.1", "year": "-2147483648", "shs_perf": "2147483647"}
    (row,) = validator.validate("songs", samples.song(**changes, track_7digitalid=None, artist_hotttnesss=None))
    assert (row.duration, row.artist_familiarity, row.artist_hotttnesss) == (1e20, -0.1, None)
    assert (row.year, row.shs_perf, row.track_7digitalid) == (-(2**31), 2**31 - 1, None)


BAD = {
    "NaN": {"duration": "NaN"},
    "infinite": {"duration": "-Infinity"},
    "text": {"artist_hotttnesss": "hot"},
    "letter": {"duration": "12d"},
    "too large": {"year": "2147483648"},
    "fraction": {"year": "1.5"},
    "empty": {"shs_work": ""},
    "space": {"shs_perf": " 1"},
    "one field more": {"shs_work": "0\tmore"},
}


def test_what_is_no_number_or_has_other_fields_is_set_aside(validator, samples) -> None:
    lines = [samples.song(**change) for change in BAD.values()]
    rows = validator.validate("songs", *lines, *(fewer := [samples.song().rsplit("\t", 1)[0], "x", ""]))
    assert [row.rules for row in rows] == [CONFORM] * (len(BAD) + len(fewer))
    assert [row.line for row in rows] == [*lines, *fewer]


def test_a_null_number_is_no_fault(validator, samples) -> None:
    (row,) = validator.validate("songs", samples.song(duration=None, year=None, shs_work=None))
    assert row.failed_rules == 0


def test_what_is_no_utf8_is_set_aside(spark, validator, samples) -> None:
    from deftunes_contract.interval import Interval
    from deftunes_transform.landing_reader import numbered
    from deftunes_transform.output_rows import AuditColumns, quarantined_rows
    from deftunes_transform.rules import QuarantineRules
    from deftunes_transform.run import FORMATS

    raw = samples.song(title="Caf\xe9").encode("latin-1")
    contract = load("songs")
    interval = Interval.parse("2020-01-01", "2020-02-01")
    rules = QuarantineRules(contract, interval)
    texts = spark.createDataFrame([(bytearray(raw),)], "value binary").selectExpr("cast(value as string) value")
    validated = FORMATS["pgcopy"](numbered(texts), contract, rules)
    stamp = AuditColumns(interval.ingest_on, "r1", __import__("datetime").datetime(2020, 2, 1))
    (row,) = quarantined_rows(validated, contract, rules, load("quarantine"), stamp).collect()
    assert row.rule == "songs_conform"
    assert "Caf\ufffd" in row.raw_record
    assert row.record_hash == __import__("hashlib").sha256(raw).hexdigest()


@pytest.mark.skipif(not REAL.is_file(), reason="the real songs are not on this machine")
def test_the_real_catalogue_is_published_whole(validator) -> None:
    with gzip.open(REAL, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["\t".join(copied(value) if value else "\\N" for value in row.values()) for row in rows]
    validated = {row.track_id: row for row in validator.frame("songs", lines).collect()}
    assert len(validated) == len(rows) == 10_000
    assert {row.failed_rules for row in validated.values()} == {0}
    for row in rows:
        found = validated[row["track_id"]]
        for name in ("title", "release", "artist_name", "artist_id", "artist_mbid"):
            # by the contract: artists in composed form without blanks around them, titles in composed form
            wanted = unicodedata.normalize("NFC", row[name])
            wanted = wanted.strip() if name == "artist_name" else wanted
            assert found[name] == (wanted or None)
        for name, kind in {
            "duration": float,
            "artist_familiarity": float,
            "year": int,
            "track_7digitalid": int,
        }.items():
            assert found[name] == (kind(row[name]) if row[name] else None)
