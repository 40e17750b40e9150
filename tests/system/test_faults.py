"""What each fault of a source does to a whole run: exit code, sentence, and that old data stays as it was."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from deftunes_contract.errors import ExitCode
from deftunes_contract.retry import RetryPolicy
from deftunes_extract import __main__ as extract_main

JANUARY = ("2020-01-01", "2020-02-01", "--pipeline", "api")
PASSING = (
    "sessions:http_429:1:times=1,seconds=0",
    "sessions:http_500:1:times=2",
    "sessions:reset:1:times=3",
    "sessions:truncated:1:times=4",
    "sessions:wrong_content_type:1:times=5",
    "users:http_500:1:times=1",
)
"""The first rule that strikes wins, so each of the first five requests for sessions meets another fault."""
LASTING = [
    ("sessions:http_429:1:seconds=0", ExitCode.TEMPORARY, "429"),
    ("sessions:http_500:1", ExitCode.TEMPORARY, "500"),
    ("sessions:reset:1", ExitCode.TEMPORARY, "sessions"),
    ("sessions:stall:1:seconds=60", ExitCode.TEMPORARY, "sessions"),
    ("sessions:truncated:1", ExitCode.TEMPORARY, "sessions"),
    ("sessions:wrong_content_type:1", ExitCode.REFUSED, "text/html"),
    ("sessions:missing_column:1:field=session_id", ExitCode.REFUSED, "session_id"),
    ("sessions:type_flip:1:field=session_items.price", ExitCode.REFUSED, "sessions_conform"),
    ("sessions:late_session:1", ExitCode.REFUSED, "session_in_interval"),
    ("sessions:duplicate_session:1", ExitCode.REFUSED, "session_item_unique"),
    ("users:missing_column:1:field=user_lastname", ExitCode.REFUSED, "user_lastname_complete"),
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same attempts in the same order, only sooner after one another; tests/contract measures the pauses."""
    monkeypatch.setattr(extract_main, "RetryPolicy", partial(RetryPolicy, initial=0.05, longest=3))


@pytest.fixture
def impatient(loaded: Any) -> Any:
    """The loaded platform with short patience, so that a lasting fault ends soon."""
    loaded.more = {"DEFTUNES_EXTRACT_ATTEMPTS": "2", "DEFTUNES_API_TIMEOUT": "1", "DEFTUNES_EXTRACT_DEADLINE": "20"}
    yield loaded
    loaded.more = {}


def test_passing_faults_are_waited_out(loaded: Any, as_loaded: dict[str, Any], misbehave: Callable[..., Any]) -> None:
    with misbehave(*PASSING) as shop:
        assert loaded.run(*JANUARY) == ExitCode.DONE, loaded.sentences()
        struck = {rule["kind"] for rule in shop.faults()["faults"] if rule["injected"]}
    assert struck == {rule.split(":")[1] for rule in PASSING}
    assert loaded.state() == as_loaded


@pytest.mark.parametrize(("rule", "code", "said"), LASTING, ids=[rule for rule, _, _ in LASTING])
def test_a_lasting_fault_publishes_nothing_and_says_why(
    rule: str,
    code: ExitCode,
    said: str,
    impatient: Any,
    as_loaded: dict[str, Any],
    misbehave: Callable[..., Any],
) -> None:
    with misbehave(rule):
        assert impatient.run(*JANUARY) == code, impatient.sentences()
    assert said in impatient.record().steps[-1].sentence
    after = impatient.verify()
    assert {name: after[name] for name in as_loaded} == as_loaded


def test_a_month_mends_itself_when_the_source_does(platform: Any, misbehave: Callable[..., Any]) -> None:
    with misbehave("sessions:type_flip:1:field=session_items.price"):
        assert platform.run(*JANUARY) == ExitCode.REFUSED
    assert platform.run(*JANUARY) == ExitCode.DONE, platform.sentences()
    assert platform.verify()["reconciled"]


def test_a_few_bad_records_are_set_aside_and_money_still_adds_up(platform: Any, misbehave: Callable[..., Any]) -> None:
    with misbehave("sessions:type_flip:0.01", "sessions:duplicate_session:0.01", "sessions:extra_column:0.5"):
        assert platform.run(*JANUARY) == ExitCode.DONE, platform.sentences()
    found = platform.verify()
    assert found["reconciled"], found["faults"]
    (sessions,) = (check for check in found["intervals"] if check["entity"] == "sessions")
    assert sessions["quarantined"]["units"] > 0
    assert sessions["landed"]["units"] == sessions["published"]["units"] + sessions["quarantined"]["units"]


def test_an_empty_month_is_refused_until_someone_says_it_is_true(platform: Any) -> None:
    july = ("2020-07-01", "2020-08-01", "--pipeline", "api")
    assert platform.run(*july) == ExitCode.REFUSED
    assert "--allow-empty" in platform.sentences()
    # an allowance lifts the guard of its own entity only
    assert platform.run(*july, "--allow-empty", "sessions") == ExitCode.REFUSED
    empty = ("--allow-empty", "users:2020-07", "--allow-empty", "sessions")
    assert platform.run(*july, *empty) == ExitCode.DONE, platform.sentences()
    assert platform.run("2020-08-01", "2020-09-01", "--pipeline", "api") == ExitCode.DONE, platform.sentences()
    found = platform.verify()
    assert found["reconciled"]
    assert found["items"] > 0


def test_a_month_without_any_like_keeps_its_types(platform: Any) -> None:
    assert platform.run("2020-03-01", "2020-04-01", "--pipeline", "api") == ExitCode.DONE, platform.sentences()
    assert platform.run("2020-04-01", "2020-05-01", "--pipeline", "api") == ExitCode.DONE, platform.sentences()
    assert platform.verify()["reconciled"]


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"DEFTUNES_API_URL": "http://127.0.0.1:9"}, ExitCode.TEMPORARY, "127.0.0.1:9"),
        ({"DEFTUNES_API_URL": "shop"}, ExitCode.USAGE, "DEFTUNES_API_URL"),
        ({"DEFTUNES_SONGS_DSN": "postgresql://nobody@127.0.0.1:9/none"}, ExitCode.TEMPORARY, "127.0.0.1"),
    ],
)
def test_bad_settings_and_sources_that_are_away(
    changed: dict[str, str], code: ExitCode, said: str, impatient: Any, as_loaded: dict[str, Any]
) -> None:
    impatient.more = {**impatient.more, **changed}
    pipeline = "songs" if "DEFTUNES_SONGS_DSN" in changed else "api"
    assert impatient.run("2020-01-01", "2020-02-01", "--pipeline", pipeline) == code
    assert said in impatient.sentences()
    impatient.more = {}
    assert impatient.state() == as_loaded
