"""Songs out of a real PostgreSQL: every quirk of the rows, every fault of table and server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from deftunes_contract.registry import load

COLUMNS = [field.name for field in load("songs").record]
ONE_ROW = "INSERT INTO deftunes.songs (track_id, year) VALUES ('TR1', 2000)"


def test_quirks_land_and_can_be_copied_back(songs: Any, extract: Any, lake: Any) -> None:
    titles = [
        "tab\there",
        "two\nlines",
        "cr\r",
        "back\\slash",
        "\\N",
        "",
        None,
        'quo"te, comma',
        "Straße 日本 🎵",
        "\\.",
    ]
    for number, title in enumerate(titles):
        songs.sql(
            "INSERT INTO deftunes.songs (track_id, title, duration, year) VALUES (%s, %s, %s, %s)",
            (f"TR{number}", title, 1 / 3, -1 if title is None else None),
        )
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    lines = lake.lines("songs")
    assert len(lines) == len(titles)
    assert all(line.count(b"\t") == 13 for line in lines)
    receipt = lake.receipt("songs")
    assert (receipt.format, receipt.records, receipt.units, receipt.amount) == ("pgcopy", 10, 10, None)
    assert all(o.name.endswith(".copy.gz") for o in receipt.objects)

    songs.sql("CREATE TABLE deftunes.again (LIKE deftunes.songs)")
    with psycopg.connect(songs.dsn) as connection:
        with connection.cursor().copy(f"COPY deftunes.again ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            copy.write(b"".join(line + b"\n" for line in lines))
        query = "SELECT track_id, title, duration, year FROM {} ORDER BY track_id"
        assert (
            connection.execute(query.format("deftunes.again")).fetchall()
            == connection.execute(query.format("deftunes.songs")).fetchall()
        )
        connection.execute("DROP TABLE deftunes.again")


def test_parts_and_reruns(songs: Any, extract: Any, lake: Any) -> None:
    songs.fill(3000)
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    whole = lake.lines("songs")
    assert extract("songs", DEFTUNES_PART_BYTES=20_000).code == 0
    first = lake.receipt("songs")
    assert len(first.objects) > 10
    assert lake.lines("songs") == whole
    assert extract("songs").code == 0
    assert lake.receipt("songs").objects == first.objects


def test_an_empty_catalogue_is_refused(songs: Any, extract: Any, lake: Any) -> None:
    outcome = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn)
    assert outcome.code == 65
    assert "--allow-empty" in outcome.said
    assert lake.content() == {}
    assert extract("songs", "--allow-empty", "songs").code == 0
    assert lake.receipt("songs").objects == ()


@pytest.mark.parametrize("against", ["the delivery it replaces", "the month before"])
def test_a_shrunken_catalogue_is_refused(songs: Any, extract: Any, lake: Any, against: str) -> None:
    february = ("--start", "2020-02-01", "--end", "2020-03-01")
    month = {"month": february} if against == "the month before" else {}
    day = "2020-03-01" if month else "2020-02-01"
    allowed = "2020-02" if month else "2020-01"
    songs.fill(1000)
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    before = lake.content()
    songs.sql("DELETE FROM deftunes.songs WHERE track_id > 'TR' || lpad('899', 16, '0')")
    outcome = extract("songs", **month)
    assert outcome.code == 65
    for words in ("90% of the 1,000 records", "[2020-01-01, 2020-02-01)", "found 899", "--allow-shrink"):
        assert words in outcome.said
    assert lake.content() == before
    assert extract("songs", "--allow-empty", "songs", **month).code == 65
    assert extract("songs", "--allow-shrink", f"songs:{allowed}", **month).code == 0
    assert lake.receipt("songs", day).records == 899


def test_a_catalogue_a_tenth_smaller_passes(songs: Any, extract: Any) -> None:
    songs.fill(1000)
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    songs.sql("DELETE FROM deftunes.songs WHERE track_id > 'TR' || lpad('900', 16, '0')")
    assert extract("songs").code == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"without": "artist_id"}, "column artist_id is missing"),
        ({"year": "text"}, "column year is text, the contract says int"),
        ({"duration": "text"}, "column duration is text, the contract says double"),
        ({"duration": "money"}, "column duration is money, the contract says double"),
        ({"track_id": "integer"}, "column track_id is integer, the contract says string"),
        ({"title": "bytea"}, "column title is bytea, the contract says string"),
    ],
)
def test_a_table_of_another_shape_is_refused(songs: Any, extract: Any, lake: Any, table: Any, message: str) -> None:
    songs.create(**table)
    outcome = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn)
    assert outcome.code == 65
    assert message in outcome.said
    assert lake.content() == {}


@pytest.mark.parametrize(
    ("types", "warnings"),
    [
        ({"mood": "text"}, ("unknown field mood",)),
        ({"year": "bigint"}, ("column year is bigint, the contract says int",)),
        ({"artist_mbid": "uuid", "title": "varchar(80)", "duration": "numeric(9,3)", "shs_perf": "smallint"}, ()),
    ],
)
def test_a_table_that_says_more_or_nearly_the_same_is_read(
    songs: Any, extract: Any, lake: Any, types: dict[str, str], warnings: tuple[str, ...]
) -> None:
    songs.create(**types)
    songs.sql(ONE_ROW)
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    assert lake.receipt("songs").warnings == warnings
    assert lake.lines("songs")[0].count(b"\t") == 13


def test_columns_land_in_the_contracts_order(songs: Any, extract: Any, lake: Any) -> None:
    songs.create(without="track_id")
    songs.sql("ALTER TABLE deftunes.songs ADD COLUMN track_id text")
    songs.sql(ONE_ROW)
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    fields = dict(zip(COLUMNS, lake.lines("songs")[0].split(b"\t"), strict=True))
    assert (fields["track_id"], fields["year"], fields["title"]) == (b"TR1", b"2000", rb"\N")


@pytest.mark.parametrize(
    "setting", ["extra_float_digits = -9", "client_encoding = 'LATIN1'", "bytea_output = 'escape'"]
)
def test_a_roles_defaults_do_not_change_the_text(songs: Any, extract: Any, lake: Any, setting: str) -> None:
    songs.sql("INSERT INTO deftunes.songs (track_id, title, duration) VALUES ('TR1', 'Zoë', 0.1::float8 + 0.2)")
    songs.sql(f"ALTER ROLE postgres SET {setting}")
    try:
        assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    finally:
        songs.sql("ALTER ROLE postgres RESET ALL")
    fields = dict(zip(COLUMNS, lake.lines("songs")[0].decode().split("\t"), strict=True))
    assert (fields["title"], fields["duration"]) == ("Zoë", "0.30000000000000004")


def test_rows_hidden_by_a_policy_are_not_a_smaller_catalogue(songs: Any, extract: Any) -> None:
    songs.fill(10)
    for statement in (
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT USAGE ON SCHEMA deftunes TO reader",
        "GRANT SELECT ON deftunes.songs TO reader",
        "ALTER TABLE deftunes.songs ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY few ON deftunes.songs USING (year > 2010)",
    ):
        songs.sql(statement)
    try:
        outcome = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn.replace("postgres@", "reader@"))
    finally:
        songs.sql("DROP OWNED BY reader")
        songs.sql("DROP ROLE reader")
    assert outcome.code == 2
    assert "row-level security" in outcome.said


# --- configuration and secrets ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("postgres@", "nobody@"), 'role "nobody" does not exist'),
        (("/deftunes", "/elsewhere"), 'database "elsewhere" does not exist'),
    ],
)
def test_a_wrong_address_is_a_usage_error(songs: Any, extract: Any, change: tuple[str, str], message: str) -> None:
    outcome = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn.replace(*change))
    assert outcome.code == 2
    assert message in outcome.said
    assert "DEFTUNES_SONGS_DSN" in outcome.said


@pytest.mark.parametrize("drop", ["TABLE deftunes.songs", "SCHEMA deftunes CASCADE"])
def test_a_missing_table_is_a_usage_error(songs: Any, extract: Any, drop: str) -> None:
    songs.sql(f"DROP {drop}")
    outcome = extract("songs", DEFTUNES_SONGS_DSN=songs.dsn)
    assert outcome.code == 2
    assert "does not exist" in outcome.said


def test_nobody_listening_is_temporary(songs: Any, extract: Any, pauses: list[float]) -> None:
    outcome = extract(
        "songs", DEFTUNES_SONGS_DSN="postgresql://postgres@127.0.0.1:1/deftunes", DEFTUNES_EXTRACT_ATTEMPTS=2
    )
    assert (outcome.code, len(pauses)) == (75, 1)
    assert "refused" in outcome.said


@pytest.fixture
def locked_role(songs: Any, database: Any) -> Any:
    """A role with a password that the server really asks for."""
    rules = Path(database.pgdata) / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{before}")
    for statement in (
        "SELECT pg_reload_conf()",
        "DROP ROLE IF EXISTS locked",
        "CREATE ROLE locked LOGIN PASSWORD 'hunter2-sesame'",
        "GRANT USAGE ON SCHEMA deftunes TO locked",
        "GRANT SELECT ON deftunes.songs TO locked",
    ):
        songs.sql(statement)
    yield songs.dsn.replace("postgres@", "locked:{}@")
    rules.write_text(before)
    for statement in ("SELECT pg_reload_conf()", "DROP OWNED BY locked", "DROP ROLE locked"):
        songs.sql(statement)


@pytest.mark.parametrize("way", ["dsn", "file", "environment"])
def test_a_password_is_used_and_never_shown(
    songs: Any, locked_role: str, extract: Any, lake: Any, tmp_path: Path, way: str
) -> None:
    songs.fill(3)
    secret = locked_role.format("hunter2-sesame")
    mounted = tmp_path / "dsn"
    mounted.write_text(f"{secret}\n")
    ways = {
        "dsn": {"DEFTUNES_SONGS_DSN": secret},
        "file": {"DEFTUNES_SONGS_DSN": None, "DEFTUNES_SONGS_DSN_FILE": mounted},
        "environment": {"DEFTUNES_SONGS_DSN": secret.replace(":hunter2-sesame", ""), "PGPASSWORD": "hunter2-sesame"},
    }
    outcome = extract("songs", **ways[way])
    assert outcome.code == 0
    receipt = lake.receipt("songs")
    host = songs.dsn.split("@")[1]
    assert receipt.source == f"postgresql://{host} deftunes.songs"
    everything = outcome.log + receipt.to_json().decode()
    assert "hunter2-sesame" not in everything
    assert "locked" not in everything


def test_a_wrong_password_is_a_usage_error_that_does_not_show_it(locked_role: str, extract: Any) -> None:
    outcome = extract("songs", DEFTUNES_SONGS_DSN=locked_role.format("wrong-guess"))
    assert outcome.code == 2
    assert "password authentication failed" in outcome.said
    assert "wrong-guess" not in outcome.log
    missing = extract("songs", DEFTUNES_SONGS_DSN=locked_role.replace(":{}", ""))
    assert missing.code == 2
    assert "no password supplied" in missing.said


def test_a_database_of_unchecked_bytes_is_refused_when_they_are_no_text(songs: Any, extract: Any) -> None:
    songs.sql("DROP DATABASE IF EXISTS bytes")
    songs.sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    dsn = songs.dsn.replace("/deftunes", "/bytes")
    there = type(songs).__new__(type(songs))
    there.dsn = dsn
    there.create()
    there.sql("INSERT INTO deftunes.songs (track_id, title) VALUES ('TR1', convert_from('\\xff', 'SQL_ASCII'))")
    try:
        outcome = extract("songs", DEFTUNES_SONGS_DSN=dsn)
    finally:
        songs.sql("DROP DATABASE bytes WITH (FORCE)")
    assert outcome.code == 65
    assert "invalid byte sequence" in outcome.said
    assert "row 1, track_id 'TR1', ctid (0,1)" in outcome.said


def test_the_row_that_cannot_be_read_is_named(songs: Any, extract: Any) -> None:
    songs.sql("DROP DATABASE IF EXISTS bytes")
    songs.sql("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    there = type(songs).__new__(type(songs))
    there.dsn = songs.dsn.replace("/deftunes", "/bytes")
    there.create()
    there.fill(5000)
    there.sql("INSERT INTO deftunes.songs (track_id) VALUES (convert_from('TR\\3779', 'SQL_ASCII'))")
    there.fill(10)
    try:
        table = extract("songs", DEFTUNES_SONGS_DSN=there.dsn)
        there.sql("ALTER TABLE deftunes.songs RENAME TO rows")
        there.sql("CREATE VIEW deftunes.songs AS SELECT * FROM deftunes.rows")
        view = extract("songs")
    finally:
        songs.sql("DROP DATABASE bytes WITH (FORCE)")
    assert (table.code, view.code) == (65, 65)
    assert r"row 5,001, track_id 'TR\\3779', ctid (" in table.said
    assert "ctid" not in view.said
    assert "row 5,001" in view.said


def test_other_forms_of_a_table_are_read(songs: Any, extract: Any, lake: Any) -> None:
    """Domains over domains, enums, char(n), partitions, generated columns, views, NaN: all of it is PostgreSQL."""
    for statement in (
        "DROP TYPE IF EXISTS mood CASCADE; DROP DOMAIN IF EXISTS id CASCADE; CREATE TYPE mood AS ENUM ('glad', 'sad')",
        "CREATE DOMAIN id AS text CHECK (length(VALUE) < 30); CREATE DOMAIN track AS id",
    ):
        songs.sql(statement)
    songs.create(track_id="track", title="char(12)", release="mood", artist_id="name", duration="numeric")
    songs.sql(
        "ALTER TABLE deftunes.songs DROP COLUMN artist_name; "
        "ALTER TABLE deftunes.songs ADD COLUMN artist_name text GENERATED ALWAYS AS ('by ' || artist_mbid) STORED"
    )
    songs.sql("CREATE TABLE deftunes.parted (LIKE deftunes.songs) PARTITION BY LIST (year)")
    songs.sql("CREATE TABLE deftunes.part PARTITION OF deftunes.parted DEFAULT")
    songs.sql("DROP TABLE deftunes.songs; ALTER TABLE deftunes.parted RENAME TO songs")
    songs.sql(
        "INSERT INTO deftunes.songs (track_id, title, release, artist_id, duration, year) VALUES "
        "('TR1', 'short', 'sad', 'AR1', 'NaN', 2000)"
    )
    assert extract("songs", DEFTUNES_SONGS_DSN=songs.dsn).code == 0
    fields = dict(zip(COLUMNS, lake.lines("songs")[0].split(b"\t"), strict=True))
    assert (fields["title"], fields["release"], fields["duration"]) == (b"short", b"sad", b"NaN")
