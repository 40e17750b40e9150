"""Finds the program and `mocked`, and hands `build` to the tests. They run in infra_pulumi's environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
for _folder in (_ROOT / "infra_pulumi", Path(__file__).parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from mocked import PLACE, Built  # noqa: E402
from mocked import build as _build  # noqa: E402

from deftunes_cloud.base import StackContext  # noqa: E402


@pytest.fixture
def build() -> Callable[..., Built]:
    """`build(lambda context: Lake("lake", context, LakeSettings()))` runs it against mocks: see mocked.py."""
    return _build


@pytest.fixture
def context() -> StackContext:
    """A protected stack: dev in us-west-2 of account 123456789012."""
    return PLACE


@pytest.fixture
def open_place() -> StackContext:
    """The same, but what it holds may be deleted."""
    return replace(PLACE, is_protected=False)
