"""A lifted guard concerns one entity, and a flag that concerns nothing is an error."""

import argparse

import pytest

from deftunes_contract.allowances import Allowances, Guard, add_allowances, allowances_of
from deftunes_contract.errors import UsageError
from deftunes_contract.interval import Interval

JANUARY = Interval.of_month("2020-01")
API = ("users", "sessions")


def _parsed(*argv: str) -> Allowances:
    parser = argparse.ArgumentParser()
    add_allowances(parser, Guard.EMPTY, Guard.SHRINK)
    return allowances_of(parser.parse_args(argv), API, [JANUARY, JANUARY.following])


def test_an_allowance_lifts_one_guard_of_one_entity() -> None:
    given = _parsed("--allow-empty", "sessions", "--allow-shrink", "users:2020-02")
    assert given.allows(Guard.EMPTY, "sessions", JANUARY)
    assert not given.allows(Guard.EMPTY, "users", JANUARY)
    assert not given.allows(Guard.SHRINK, "sessions", JANUARY)
    assert not given.allows(Guard.SHRINK, "users", JANUARY)
    assert given.allows(Guard.SHRINK, "users", JANUARY.following)


def test_argv_round_trips() -> None:
    argv = ("--allow-empty", "sessions", "--allow-shrink", "users:2020-02")
    assert _parsed(*argv).argv == argv
    assert _parsed(*argv).select((Guard.SHRINK,), API, ["2020-02"]).argv == argv[2:]
    assert _parsed(*argv).select((Guard.SHRINK,), API, ["2020-01"]).argv == ()


@pytest.mark.parametrize("text", ["", "user", "songs", "sessions:2020-13", "sessions:", "sessions:2020-03", "Sessions"])
def test_a_flag_that_concerns_nothing_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="--allow-empty"):
        _parsed("--allow-empty", text)
