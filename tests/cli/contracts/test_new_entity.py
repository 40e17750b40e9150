"""`deftunes new entity`: what it writes is a valid contract, it never changes a file, and wrong words are named."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import yaml

from deftunes_cli.__main__ import main
from deftunes_contract.contract_files import packaged_contracts
from deftunes_contract.entity import Role
from deftunes_contract.http_source import HttpSource
from deftunes_contract.postgres_source import PostgresSource
from deftunes_contract.registry import build_registry

HTTP = (
    "--kind",
    "http",
    "--place",
    "payments",
    "--param",
    "since={start}",
    "--data-selector",
    "data",
    "--auth",
    "bearer",
)
POSTGRES = ("--kind", "postgres", "--place", "finance.payments")
FACT = ("--time", "paid_at", "--amount", "paid")
PAYMENTS = ("new", "entity", "payments", "--server", "ledger", "--key", "payment_id")
FIELDS = (
    "--field",
    "method",
    "--field",
    "fee:money",
    "--field",
    "items:int",
    "--field",
    "due:date",
    "--field",
    "ok:boolean",
)


def _contracts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.yaml")}


@pytest.mark.parametrize(("source", "role"), list(product((HTTP, POSTGRES), Role)))
def test_every_kind_and_role_makes_a_contract_without_a_fault(
    source: tuple[str, ...], role: Role, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    time_and_money = FACT if role is Role.FACT else ()
    assert main([*PAYMENTS, *source, *time_and_money, *FIELDS, "--role", role, "--folder", str(tmp_path)]) == 0
    assert "DEFTUNES_LEDGER_" in capsys.readouterr().out
    found, problems = build_registry(packaged_contracts(), _contracts(tmp_path))
    assert (problems, found is not None) == ([], True)
    assert found is not None
    payments = found.entity("payments")
    assert (payments.role, payments.pipeline, payments.key) == (role, "payments", ("payment_id",))
    assert (payments.amount, payments.event_time) == (("paid", "paid_at") if role is Role.FACT else (None, None))
    assert isinstance(payments.source, HttpSource if source is HTTP else PostgresSource)
    assert payments.column("fee").type == "decimal(10,2)"
    (model,) = tmp_path.glob("*.sql")
    text = model.read_text(encoding="utf-8")
    assert "{{ ref('stg_payments') }}" in text
    assert payments.serving_table == (model.stem if role is Role.FACT else None)


def test_a_source_of_http_is_read_as_it_was_said(tmp_path: Path) -> None:
    assert main([*PAYMENTS, *HTTP, *FACT, "--folder", str(tmp_path)]) == 0
    found, _ = build_registry(packaged_contracts(), _contracts(tmp_path))
    assert found is not None
    source = found.entity("payments").source
    assert isinstance(source, HttpSource)
    assert (source.path, source.params, source.data_selector) == ("payments", {"since": "{start}"}, "data")
    assert source.auth.type == "bearer"


def test_no_file_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = [*PAYMENTS, *HTTP, *FACT, "--folder", str(tmp_path)]
    assert main(call) == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "payments.yaml").unlink()
    assert main(call) == 2
    assert "fact_payments.sql is there already and stays as it is" in capsys.readouterr().err
    assert not (tmp_path / "payments.yaml").exists()
    assert (tmp_path / "fact_payments.sql").read_bytes() == before[tmp_path / "fact_payments.sql"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "http", "--place", "payments", "--time", "paid_at"), "expected --amount, found none"),
        ((*POSTGRES[:2], "--place", "payments", *FACT), "--place: expected schema.table"),
        ((*HTTP, *FACT, "--field", "paid_at:string"), "--time: expected type timestamp or date, found string"),
        ((*HTTP, *FACT, "--field", "fee:euros"), "--field: expected NAME:TYPE"),
        ((*HTTP, *FACT, "--pipeline", "../x"), "--pipeline: expected small letters"),
        ((*HTTP, "--time", "paid_at", "--amount", "payment_id"), "expected three different fields"),
        ((*HTTP, *FACT, "--param", 'a="'), "expected no quotes"),
        ((*POSTGRES, *FACT, "--auth", "bearer"), "expected --kind http"),
    ],
)
def test_wrong_words_end_with_2_and_the_flag(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*PAYMENTS, *words, "--folder", str(tmp_path / "made")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def test_what_is_not_given_is_asked_for_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["payments", "ledger", "http", "payments", "payment_id", "paid_at", "paid"])
    monkeypatch.setattr("deftunes_cli.contracts.commands.sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda _: next(answers))
    assert main(["new", "entity", "--folder", str(tmp_path)]) == 0
    contract = yaml.safe_load((tmp_path / "payments.yaml").read_text(encoding="utf-8"))
    assert contract["servers"][0]["server"] == "ledger"
