"""A long step is heard of while it runs, and never afterwards."""

from __future__ import annotations

import threading
import time

import pytest
from structlog import get_logger
from structlog.testing import capture_logs

from deftunes_contract import heartbeat as module
from deftunes_contract.heartbeat import heartbeat


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.02)


def test_a_line_comes_now_and_then_with_current_facts() -> None:
    count = iter(range(1000))
    with capture_logs() as logs, heartbeat(get_logger(), "reading songs", facts=lambda: {"megabytes": next(count)}):
        time.sleep(0.3)
    assert logs[0]["event"] == "reading songs"
    assert {line["event"] for line in logs[1:]} == {"reading songs: still running"}
    assert len(logs) > 3
    assert [line["megabytes"] for line in logs] == list(range(len(logs)))


def test_a_short_step_is_silent_unless_announced() -> None:
    with capture_logs() as logs, heartbeat(get_logger(), "reading songs", announce=False):
        pass
    assert logs == []


def test_it_ends_with_the_step_even_when_the_step_fails() -> None:
    with capture_logs() as logs:
        with pytest.raises(KeyError), heartbeat(get_logger(), "reading songs"):
            raise KeyError
        told = len(logs)
        time.sleep(0.1)
        assert len(logs) == told
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
