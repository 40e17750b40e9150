"""A plug-in of the simulator: the payments and refunds of the simulated shop.

Every session is paid once: its amount is the sum of its items' prices, so payments add up to sales. The API serves
payments page by page behind a bearer token; PostgreSQL holds the refunds, each of them changed once after it was made.

    deftunes-simulator serve --plugin examples/second-product/shop.py
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import psycopg
from fastapi import FastAPI, Header, HTTPException

from deftunes_simulator.api import Shop
from deftunes_simulator.catalogue import open_catalogue
from deftunes_simulator.config import WorldConfig
from deftunes_simulator.people import People
from deftunes_simulator.sales import Sales

TOKEN_FILE = "DEFTUNES_LEDGER_TOKEN_FILE"
"""The same variable that the platform reads: a file with the token that a reader must bring."""
IN_A_POD = "/etc/deftunes/credentials/songs-password"
"""The one secret that the shop's pod has, where that variable is not set."""
PAGE = 100
"""Most payments in one reply."""
REFUNDED = 20
"""One payment in this many is refunded."""
METHODS = ("card", "card", "card", "paypal", "voucher")


def add_routes(app: FastAPI, shop: Shop) -> None:
    """Add `GET /payments?from=2020-01-01&to=2020-02-01&cursor=…`: `to` is exclusive."""

    @cache
    def paid(first: date, last: date) -> list[dict[str, Any]]:
        return list(payments(shop.sales, shop.config, first, last))

    @app.get("/payments", tags=["payments"])
    async def get_payments(
        since: date, until: date, cursor: int = 0, authorization: Annotated[str, Header()] = ""
    ) -> dict[str, Any]:
        expected = "Bearer " + Path(os.environ.get(TOKEN_FILE, IN_A_POD)).read_text(encoding="utf-8").strip()
        if not secrets.compare_digest(authorization.encode(), expected.encode()):
            raise HTTPException(401, "expected a bearer token", {"WWW-Authenticate": "Bearer"})
        rows = paid(since, until - timedelta(days=1))
        following = cursor + PAGE
        return {
            "data": rows[cursor:following],
            "meta": {"total": len(rows), "next_cursor": str(following) if following < len(rows) else None},
        }


def add_tables(connection: psycopg.Connection[Any], config: WorldConfig) -> None:
    """Make `deftunes.refunds` anew; the money is numeric, the times have no zone and are UTC."""
    sales = Sales(config, config.calendar(), People(config, config.calendar()), open_catalogue(config))
    connection.execute("drop table if exists deftunes.refunds")
    connection.execute(
        "create table deftunes.refunds (refund_id uuid primary key, payment_id uuid not null, amount numeric(10,2) "
        "not null, currency text not null, reason text, refunded_at timestamp not null, updated_at timestamp not null)"
    )
    with connection.cursor().copy("copy deftunes.refunds from stdin") as copy:
        first = date(*config.calendar().months[0], 1)
        for payment in payments(sales, config, first, date.max):
            if int(payment["payment_id"][-4:], 16) % REFUNDED == 0:
                at = datetime.fromisoformat(payment["paid_at"])
                reason = "wrong track" if at.day % 2 else None
                copy.write_row((_uuid("refund", payment["payment_id"]), payment["payment_id"], payment["amount"],
                                payment["currency"], reason, at, at + timedelta(minutes=5)))  # fmt: skip


def payments(sales: Sales, config: WorldConfig, first: date, last: date) -> Iterator[dict[str, Any]]:
    """The payments of some days, both inclusive, one a session; the amount is a JSON number with two decimals."""
    for record in sales.records(config.calendar().overlap(first, last)):
        session = json.loads(record, parse_float=Decimal)
        key = _uuid("payment", session["session_id"])
        yield {
            "payment_id": key,
            "session_id": session["session_id"],
            "user_id": session["user_id"],
            "method": METHODS[int(key[:2], 16) % len(METHODS)],
            "amount": float(sum((item["price"] for item in session["session_items"]), Decimal())),
            "currency": "USD",
            "paid_at": session["session_start_time"],
        }


def _uuid(kind: str, name: str) -> str:
    digits = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
