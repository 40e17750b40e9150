"""The two endpoints keep the contract of the original API."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MARCH = {"start_date": "2020-03-01", "end_date": "2020-03-31"}
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
SESSION_KEYS = ["user_id", "session_id", "session_items", "user_agent", "session_start_time"]
ITEM_KEYS = ["song_id", "song_name", "artist_id", "artist_name", "price", "currency", "liked", "liked_since"]
USER_KEYS = ["user_id", "user_name", "user_lastname", "user_location", "user_since"]


def test_sessions_have_the_exact_shape(get: Callable[..., Any]) -> None:
    reply = get("/sessions", start_date="2020-01-01", end_date="2020-12-31")

    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert (reply.headers["transfer-encoding"], reply.headers["content-length"]) == ("chunked", None)
    counts = []
    for session in reply.json():
        assert list(session) == SESSION_KEYS
        assert UUID.fullmatch(session["user_id"])
        assert UUID.fullmatch(session["session_id"])
        assert STAMP.fullmatch(session["session_start_time"])
        counts.append(len(session["session_items"]))
        for item in session["session_items"]:
            assert list(item) == ITEM_KEYS
            assert re.fullmatch(r"TR[A-Z]{5}[0-9A-F]{11}", item["song_id"])
            assert re.fullmatch(r"AR[0-9A-Z]{16}", item["artist_id"])
            assert item["currency"] == "USD"
            assert isinstance(item["price"], float)
            assert 0.33 <= item["price"] <= 1.85
            assert round(item["price"], 2) == item["price"]
            assert item["liked"] is (item["liked_since"] is not None)
            if item["liked"]:
                assert STAMP.fullmatch(item["liked_since"])
                assert item["liked_since"] > session["session_start_time"]
    assert sum(count in (4, 5, 6) for count in counts) > 0.9 * len(counts)


def test_prices_are_written_with_two_decimals_at_most(get: Callable[..., Any]) -> None:
    prices = re.findall(rb'"price":([^,]+),', get("/sessions", start_date="2020-01-01", end_date="2022-12-31").body)
    assert len(prices) > 1000
    assert all(re.fullmatch(rb"[01]\.\d\d?", price) for price in prices)


def test_users_have_the_exact_shape(get: Callable[..., Any]) -> None:
    reply = get("/users")

    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    for user in reply.json():
        assert list(user) == USER_KEYS
        assert UUID.fullmatch(user["user_id"])
        assert STAMP.fullmatch(user["user_since"])
        assert user["user_name"]
        assert user["user_lastname"]
        latitude, longitude, place, country, timezone = user["user_location"]
        assert all(re.fullmatch(r"-?\d+\.\d{5}", number) for number in (latitude, longitude))
        assert abs(float(latitude)) <= 90
        assert abs(float(longitude)) <= 180
        assert place
        assert re.fullmatch("[A-Z]{2}", country)
        assert "/" in timezone


def test_records_look_like_the_published_samples(get: Callable[..., Any], shared_data: Path) -> None:
    for name, ours in (("users", get("/users").json()), ("sessions", get("/sessions", **MARCH).json())):
        theirs = json.loads((shared_data / "deftunes_samples" / f"{name}.json").read_text())
        assert _shape(theirs[0]) == _shape(ours[0])


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {name: _shape(inner) for name, inner in value.items() if name != "liked_since"}
        case [first, *_] if isinstance(first, dict):
            return [_shape(first)]
        case list():
            return [_shape(inner) for inner in value]
    return type(value)


@pytest.mark.parametrize("path", ["/users", "/sessions"])
def test_each_month_has_a_record_on_each_edge(get: Callable[..., Any], path: str) -> None:
    for month, last in (("2020-01", 31), ("2020-02", 29), ("2021-02", 28), ("2022-12", 31)):
        stamps = _stamps(get(path, start_date=f"{month}-01", end_date=f"{month}-{last}").json())
        assert stamps[0] == f"{month}-01T00:00:00.000000"
        assert stamps[-1] == f"{month}-{last}T23:59:59.999999"
        assert stamps == sorted(stamps)


@pytest.mark.parametrize("path", ["/users", "/sessions"])
def test_end_date_is_inclusive_and_its_neighbours_stay_out(get: Callable[..., Any], path: str) -> None:
    last_day = _stamps(get(path, start_date="2020-01-31", end_date="2020-01-31").json())
    assert {stamp[:10] for stamp in last_day} == {"2020-01-31"}
    assert "2020-01-31T23:59:59.999999" in last_day
    without_it = _stamps(get(path, start_date="2020-01-01", end_date="2020-01-30").json())
    assert max(without_it) < "2020-01-31"
    assert "2020-02-01T00:00:00.000000" in _stamps(get(path, start_date="2020-02-01", end_date="2020-02-01").json())


def _stamps(records: list[dict[str, Any]]) -> list[str]:
    return [record.get("session_start_time") or record["user_since"] for record in records]


def test_users_without_dates_are_all_users(get: Callable[..., Any]) -> None:
    everyone = get("/users").json()
    assert len(everyone) == 35 * 10
    assert everyone == get("/users", start_date="1999-01-01", end_date="2030-12-31").json()


def test_an_empty_month_is_an_empty_array(get: Callable[..., Any]) -> None:
    for path in ("/users", "/sessions"):
        reply = get(path, start_date="2020-07-01", end_date="2020-07-31")
        assert (reply.status, reply.body) == (200, b"[]")


def test_outside_the_world_there_is_nothing(get: Callable[..., Any]) -> None:
    assert get("/sessions", start_date="0001-01-01", end_date="2019-12-31").body == b"[]"
    assert get("/sessions", start_date="2023-01-01", end_date="9999-12-31").body == b"[]"


def test_a_month_without_likes(get: Callable[..., Any]) -> None:
    items = [item for session in get("/sessions", **MARCH).json() for item in session["session_items"]]
    assert {(item["liked"], item["liked_since"]) for item in items} == {(False, None)}
    february = get("/sessions", start_date="2020-02-01", end_date="2020-02-29").json()
    assert any(item["liked"] for session in february for item in session["session_items"])


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/sessions", {}, "expected both start_date and end_date"),
        ("/sessions", {"start_date": "2020-01-01"}, "expected both start_date and end_date"),
        ("/users", {"end_date": "2020-01-01"}, "or neither for all records"),
        ("/sessions", {"start_date": "2020-02-30", "end_date": "2020-03-01"}, "expected calendar days as YYYY-MM-DD"),
        ("/users", {"start_date": "20200101", "end_date": "2020-01-02"}, "expected calendar days as YYYY-MM-DD"),
        ("/users", {"start_date": "", "end_date": "2020-01-02"}, "expected calendar days as YYYY-MM-DD"),
        ("/sessions", {"start_date": "2020-02-01", "end_date": "2020-01-01"}, "not before start_date"),
    ],
)
def test_a_bad_interval_is_refused_in_clear_words(
    get: Callable[..., Any], path: str, query: dict[str, str], said: str
) -> None:
    reply = get(path, **query)
    assert reply.status == 422
    assert said in reply.json()["detail"]
    assert path in reply.json()["detail"]


def test_the_api_documents_itself(get: Callable[..., Any]) -> None:
    page = get("/docs")
    assert page.status == 200
    # scripts from elsewhere would leave the page blank behind a firewall
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.body.decode())
    assert any(name.endswith(".js") for name in loaded)
    for name in loaded:
        assert name.startswith("/"), f"/docs loads {name} from elsewhere"
        assert get(name).status == 200
    schemas = get("/openapi.json").json()["components"]["schemas"]
    assert list(schemas["SessionRecord"]["properties"]) == SESSION_KEYS
    assert list(schemas["SessionItem"]["properties"]) == ITEM_KEYS
    assert list(schemas["UserRecord"]["properties"]) == USER_KEYS


def test_health(get: Callable[..., Any]) -> None:
    told = {"status": "ok", "songs": 200, "seed": 7, "scale": 100, "first_month": "2020-01", "months": 36}
    for _ in range(100):  # the news that the songs are loaded comes through a pipe
        if (found := get("/health").json()) == told:
            break
        time.sleep(0.1)
    assert found == told
