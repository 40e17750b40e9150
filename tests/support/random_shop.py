"""Published months made by dice, and rows of sales: small worlds with everything that made implementations disagree."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from deftunes_contract.interval import Interval


def sale(session: str, item: int, track: str | None, price: str, **more: Any) -> dict[str, Any]:
    """A row of sessions; `user` and `at` (ISO time) are short for user_id and session_start_time."""
    row: dict[str, Any] = {
        "session_id": session,
        "item_no": item,
        "song_id": track,
        "artist_id": "AR0",
        "user_id": more.pop("user", "u0"),
        "price": Decimal(price),
        "liked": False,
    }
    if at := more.pop("at", None):
        row["session_start_time"] = datetime.fromisoformat(at)
    return row | more


def random_month(dice: random.Random, month: Interval) -> dict[str, list[dict[str, Any]]]:
    """Users, songs and sales of one month, with everything that made implementations disagree."""
    users = [
        {"user_id": f"u{dice.randrange(9)}", "user_name": dice.choice("abc"), "country_code": dice.choice(["FR", None])}
        for _ in range(dice.randrange(5))
    ]
    songs = [
        {
            "track_id": f"TR{track}",
            "song_id": f"SO{track}",
            "title": dice.choice(["A", "B", None]),
            "artist_id": f"AR{track % 3}",
            "artist_name": dice.choice(["Ärzte", "Arzte", "arzte", "Die Ärzte", None]),
            "artist_mbid": dice.choice(["m1", "m2", None]),
        }
        for track in dice.sample(range(10), dice.randrange(1, 10))
    ]
    first = datetime.combine(month.start, datetime.min.time())
    length = (month.end - month.start) / timedelta(microseconds=1)
    sales = [
        sale(
            f"{month.month}-{session}",
            item,
            f"TR{dice.randrange(12)}",
            str(Decimal(dice.randrange(33, 186)) / 100),
            user=f"u{dice.randrange(11)}",
            at=(first + timedelta(microseconds=dice.choice([0, length - 1, dice.randrange(int(length))]))).isoformat(),
            artist_id=dice.choice(["AR0", "AR1", "AR2", "AR9", None]),
            liked=dice.choice([True, False, None]),
        )
        for session in range(dice.randrange(6))
        for item in range(dice.randrange(1, 4))
    ]
    # several rows of one key never reach main: transform keeps one
    return {"users": list({row["user_id"]: row for row in users}.values()), "songs": songs, "sessions": sales}
