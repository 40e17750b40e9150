"""Two builds at once, and builds that lose their lock or their server: one waits, the other publishes nothing."""

from __future__ import annotations

import threading
import time

import pytest

from deftunes_contract.errors import RetryableError, UsageError
from deftunes_serving.__main__ import main, run

JANUARY = ("build", "--start", "2020-01-01", "--end", "2020-02-01")


def test_a_build_waits_for_another_and_then_does_its_work(built, build_redshift, environment):
    environment.setenv("DEFTUNES_DBT_LOCK_SECONDS", "60")
    before = built.content()
    sentences: list[str] = []
    built.run()
    with built.redshift.direct() as other:
        other.autocommit = False
        other.execute("LOCK TABLE deftunes_staging.build_lock")
        waiting = threading.Thread(target=lambda: sentences.append(build_redshift()))
        waiting.start()
        time.sleep(2)
        assert waiting.is_alive()
        assert not any("drop schema" in line for line in built.run())  # it has touched nothing
        other.rollback()
    waiting.join(timeout=120)
    assert sentences[0].startswith("built ")
    assert built.content() == before


def test_a_build_that_has_waited_long_enough_gives_up(built, build_redshift, environment):
    environment.setenv("DEFTUNES_DBT_LOCK_SECONDS", "1")
    before = built.content()
    with built.redshift.direct() as other:
        other.autocommit = False
        other.execute("LOCK TABLE deftunes_staging.build_lock")
        with pytest.raises(RetryableError, match=r"another build has held .*build_lock .* for 1 s; nothing was built"):
            build_redshift()
        other.rollback()
    assert built.content() == before


def test_a_build_that_lost_its_lock_publishes_nothing(built, lake, sell, build_redshift):
    before = built.content()
    lake.publish("sessions", "2020-02-01", [sell("new", 0, "TR-1", "0.40", user="u-ada")])
    built.fill()
    lost = pytest.raises(RetryableError, match=r"held the lock of this build broke .* nothing was published")
    with built.redshift.cut_before(r"^select 1$"), lost:
        build_redshift()
    assert built.content() == before
    build_redshift()
    assert built.content() != before


@pytest.mark.parametrize(
    "statement", [r"^lock table", r"create table\s+\S*fact_session", r"delete from deftunes_serving", r"(?-i:^commit$)"]
)
def test_a_server_that_goes_away_is_temporary_and_nothing_is_public(built, lake, sell, build_redshift, statement):
    before = built.content()
    lake.publish("sessions", "2020-02-01", [sell("new", 0, "TR-1", "0.40", user="u-ada")])
    built.fill()
    with built.redshift.cut_before(statement) as met, pytest.raises(RetryableError):
        build_redshift()
    assert met
    assert built.content() == before


def test_a_warehouse_that_does_not_answer_is_temporary(warehouse, environment, capsys):
    environment.setenv("REDSHIFT_PORT", "1")
    assert main(JANUARY) == 75
    assert "no connection to Redshift" in "".join(capsys.readouterr())


def test_a_wrong_password_is_said_and_shown_nowhere(warehouse, environment, capsys):
    environment.setenv("REDSHIFT_PASSWORD", "not-this-one")
    assert main(JANUARY) == 75
    said = "".join(capsys.readouterr())
    assert "password authentication failed" in said
    assert "not-this-one" not in said


def test_some_models_alone_are_for_the_embedded_target(warehouse):
    with pytest.raises(UsageError, match="--select"):
        run([*JANUARY, "--select", "dim_users"])
