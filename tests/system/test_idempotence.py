"""Reruns change nothing, order does not matter, two at once do no harm."""

from typing import Any


def test_the_same_run_again_changes_nothing(loaded: Any, as_loaded: dict[str, Any]) -> None:
    assert as_loaded["items"] > 0
    assert loaded.run("2020-01-01", "2020-03-01") == 0
    assert loaded.state() == as_loaded


def test_months_in_any_order_give_the_same(as_loaded: dict[str, Any], platform: Any) -> None:
    assert platform.run("2020-02-01", "2020-03-01") == 0, platform.sentences()
    assert platform.run("2020-01-01", "2020-02-01") == 0, platform.sentences()
    assert platform.state() == as_loaded


def test_pipelines_one_after_the_other_in_either_order(as_loaded: dict[str, Any], platform: Any) -> None:
    assert platform.run("2020-01-01", "2020-03-01", "--pipeline", "api") == 0, platform.sentences()
    assert platform.run("2020-01-01", "2020-03-01", "--pipeline", "songs") == 0, platform.sentences()
    assert platform.state() == as_loaded


def test_two_runs_of_the_same_month_at_once(january: dict[str, object], platform: Any) -> None:
    month = ("run", "--start", "2020-01-01", "--end", "2020-02-01")
    both = [platform.spawn(*month), platform.spawn(*month)]
    for running in both:
        running.join(timeout=300)
    assert [running.exitcode for running in both] == [0, 0], (platform.root / "spawned.log").read_text()[-4000:]
    assert platform.state() == january
