"""`deftunes contract show` and `check`: what takes effect, and every fault with its file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from contract_texts import PAYMENTS, changed

from deftunes_cli.__main__ import main
from deftunes_contract.registry import registry

OVERLAY = """\
kind: ContractOverlay
entity: sessions
rules:
  currency_known: {validValues: {add: [EUR]}}
"""


def test_the_packaged_contracts_have_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "check"]) == 0
    assert "contracts without a fault" in capsys.readouterr().out


def test_every_fault_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = changed("{property: amount, value: amount}", "{property: amount, value: method}")
    (tmp_path / "payments.yaml").write_text(changed("severity: fail", "severity: loud", text), encoding="utf-8")
    assert main(["contract", "check", str(tmp_path)]) == 2
    faults = capsys.readouterr().out
    assert "payments.yaml:" in faults
    assert "severity" in faults
    assert main(["contract", "check", str(tmp_path), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["valid"] is False
    assert [f"{one['where']}: {one['message']}" for one in found["problems"]] == faults.splitlines()


def test_an_added_contract_is_shown_with_its_file_and_digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "payments.yaml").write_text(PAYMENTS, encoding="utf-8")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(tmp_path))
    assert main(["contract", "show", "payments", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["contract"] == yaml.safe_load(PAYMENTS)
    assert (found["file"], found["overlay"]) == (str(tmp_path / "payments.yaml"), None)
    assert found["digest"] == registry().entity("payments").digest
    assert main(["contract", "check"]) == 0
    assert "payments: payments (fact)" in capsys.readouterr().out


def test_an_overlay_shows_in_the_contract_and_in_its_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "show", "sessions", "--json"]) == 0
    before = json.loads(capsys.readouterr().out)
    (tmp_path / "small-shop.yaml").write_text(OVERLAY, encoding="utf-8")
    assert main(["contract", "show", "sessions", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert f"# overlay  {tmp_path / 'small-shop.yaml'}" in shown
    assert before["digest"] not in shown
    (rule,) = [one for one in yaml.safe_load(shown)["schema"][0]["quality"] if one["id"] == "currency_known"]
    assert "EUR" in rule["arguments"]["validValues"]


@pytest.mark.parametrize(
    ("words", "said"),
    [(("show", "friends"), "expected an entity of"), (("check", "/nowhere/at/all"), "expected a folder at /nowhere")],
)
def test_wrong_words_end_with_2(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_change_is_shown_with_its_impact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for folder, text in ((before, PAYMENTS), (after, changed("max: 500", "max: 50"))):
        folder.mkdir()
        (folder / "payments.yaml").write_text(text, encoding="utf-8")
    (after / "small-shop.yaml").write_text(OVERLAY, encoding="utf-8")
    assert main(["contract", "diff", str(before), str(after)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("restating  payments: rule amount_range: max tightened: 500 → 50 (")
    assert (
        second
        == f"compatible sessions: rule currency_known: values loosened: USD → USD, EUR ({after}/small-shop.yaml:4)"
    )
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(after))
    assert main(["contract", "diff", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["impact"] == "compatible"
    assert found["changes"][0]["what"] == "entity added"
