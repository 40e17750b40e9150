"""An overlay lets a shop's month through that the packaged contract refuses, and the gate result names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MONTH = ("2020-01-01", "2020-02-01")
OVERLAY = """\
kind: ContractOverlay
entity: sessions
description: The small shop sells in euros too, and one price in ten is typed wrong.
rules:
  currency_known: {validValues: {add: [EUR]}}
  sessions_quarantine_share: {max: 0.5}
"""
FAULTS = (
    'sessions:replace:0.3:field=session_items.currency,value="EUR"',
    "sessions:replace:0.1:field=session_items.price,value=3",
)


def _gate(platform: Any) -> dict[str, Any]:
    (path,) = (platform.home.lake / "quality/sessions").rglob("result.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_an_overlay_opens_the_gate_for_what_it_names_and_for_nothing_else(
    platforms: Callable[[str], Any], misbehave: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "small-shop.yaml").write_text(OVERLAY)
    strict, small = platforms("strict"), platforms("small-shop")
    small.more = {"DEFTUNES_CONTRACTS": str(tmp_path)}
    with misbehave(*FAULTS):
        assert strict.run(*MONTH, "--pipeline", "api") == 65
        assert small.run(*MONTH, "--pipeline", "api") == 0, small.sentences()
    refused, passed = _gate(strict), _gate(small)
    assert refused["overlay"] is None
    assert Path(passed["overlay"]).name == "small-shop.yaml"
    assert passed["contract_digest"] != refused["contract_digest"]
    shown = small.verify()
    assert shown["reconciled"], shown["faults"]
