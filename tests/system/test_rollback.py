"""A month taken back on both sides: the lake's tables and the serving tables show what they showed before."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb

from deftunes_contract.errors import ExitCode

TAKE_BACK = ("rollback", "--month", "2020-01", "--pipeline", "api")


def test_a_restated_month_is_taken_back_on_both_sides(platform: Any, misbehave: Callable[..., Any]) -> None:
    assert platform.run("2020-01-01", "2020-02-01") == 0, platform.sentences()
    before = platform.verify()
    with misbehave("sessions:type_flip:0.02:field=session_items.price"):
        assert platform.run("2020-01-01", "2020-02-01", "--pipeline", "api") == 0, platform.sentences()
    restated = platform.verify()
    assert restated["total_sales"] != before["total_sales"]

    code, out, err = platform.call(*TAKE_BACK)
    assert code == 0, err
    assert "sessions: " in out
    assert "restated" in out
    after = platform.verify()
    assert {name: after[name] for name in ("total_sales", "sales", "tables")} == {
        name: before[name] for name in ("total_sales", "sales", "tables")
    }
    with duckdb.connect(str(platform.home.serving), read_only=True) as serving:
        rows = serving.execute(
            "SELECT restated_at, sum(sales_change) FROM deftunes_serving.restatement GROUP BY 1 ORDER BY 1"
        ).fetchall()
    change = Decimal(restated["total_sales"]) - Decimal(before["total_sales"])
    assert [amount for _, amount in rows] == [change, -change]

    code, out, _ = platform.call(*TAKE_BACK)
    assert code == ExitCode.NOTHING_TO_DO
    assert "no publication to take back" in out
    assert platform.verify()["total_sales"] == before["total_sales"]


def test_a_month_that_is_no_month_is_said(platform: Any) -> None:
    code, _, err = platform.call("rollback", "--month", "2020-13", "--pipeline", "api")
    assert code == ExitCode.USAGE
    assert "expected a month like 2020-01, found '2020-13'" in err
