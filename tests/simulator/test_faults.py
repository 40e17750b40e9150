"""Each kind of fault, seen over real HTTP as a client meets it."""

import http.client
import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from deftunes_simulator import ConfigError, World, WorldConfig
from deftunes_simulator.faults import KINDS, Fault

JANUARY = {"start_date": "2020-01-01", "end_date": "2020-01-31"}
EMPTY = {"start_date": "2020-07-01", "end_date": "2020-07-31"}
Get = Callable[..., Any]


def _injected(world: World) -> list[int]:
    return [rule["injected"] for rule in world.faults()["faults"]]


def test_429_with_retry_after_twice_then_fine(world: World, get: Get) -> None:
    world.set_faults(["sessions:http_429:1:times=2,seconds=3"])
    replies = [get("/sessions", **JANUARY) for _ in range(4)]
    assert [reply.status for reply in replies] == [429, 429, 200, 200]
    assert [reply.headers["retry-after"] for reply in replies] == ["3", "3", None, None]
    assert get("/users", **JANUARY).status == 200
    assert _injected(world) == [2]
    assert world.faults()["requests"] == {"users": 1, "sessions": 4}


def test_500(world: World, get: Get) -> None:
    world.set_faults(["users:http_500"])
    assert get("/users").status == 500
    assert get("/sessions", **JANUARY).status == 200


def test_wrong_content_type(world: World, get: Get) -> None:
    world.set_faults(["sessions:wrong_content_type"])
    reply = get("/sessions", **JANUARY)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("record", [0, 5, 10_000])
def test_truncated_is_a_success_to_http(world: World, get: Get, record: int) -> None:
    sound = get("/sessions", **JANUARY)
    world.set_faults([f"sessions:truncated:1:record={record}"])
    reply = get("/sessions", **JANUARY)  # http.client raises IncompleteRead when the last chunk is missing

    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert sound.body.startswith(reply.body)
    with pytest.raises(json.JSONDecodeError):
        reply.json()
    whole = json.loads(reply.body[: reply.body.rindex(b',{"user_id"')] + b"]") if record else []
    assert len(whole) == min(record, len(sound.json()) - 1)


def test_truncated_strikes_an_empty_reply_too(world: World, get: Get) -> None:
    world.set_faults(["sessions:truncated"])
    assert get("/sessions", **EMPTY).body == b"["


def test_reset_is_a_tcp_reset_in_mid_body(world: World, get: Get) -> None:
    sound = get("/sessions", **JANUARY).body
    world.set_faults(["sessions:reset:1:record=7"])
    with _raw_connection(world) as raw:
        raw.sendall(b"GET /sessions?start_date=2020-01-01&end_date=2020-01-31 HTTP/1.1\r\nHost: x\r\n\r\n")
        received = bytearray()
        with pytest.raises(ConnectionResetError):
            _receive_all(raw, received)
    head, body = received.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200")
    size, sent = body.split(b"\r\n", 1)
    assert sent.rstrip() == sound[: int(size, 16)]
    assert sound.count(b'"session_id"', 0, len(sent)) in (7, 8)
    assert get("/health").status == 200


def _raw_connection(world: World) -> socket.socket:
    address = urlsplit(world.api_url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def _receive_all(raw: socket.socket, received: bytearray) -> None:
    while part := raw.recv(65536):
        received += part


def test_stall_falls_silent_in_mid_body_and_then_delivers_everything(world: World, get: Get) -> None:
    sound = get("/sessions", **JANUARY).body
    world.set_faults(["sessions:stall:1:seconds=0.4,record=3"])
    started = time.monotonic()
    reply = get("/sessions", **JANUARY)
    assert time.monotonic() - started >= 0.4
    assert reply.body == sound
    for window in (EMPTY, {"start_date": "2020-01-01", "end_date": "2020-01-01"}):
        assert isinstance(get("/sessions", **window).json(), list)
    with pytest.raises(TimeoutError):
        get("/sessions", timeout=0.2, **JANUARY)


def test_duplicates(world: World, get: Get) -> None:
    sound = {path: get(path, **JANUARY).json() for path in ("/users", "/sessions")}
    world.set_faults(["sessions:duplicate_session:0.3", "users:duplicate_user:1"])
    for path, key in (("/users", "user_id"), ("/sessions", "session_id")):
        found = get(path, **JANUARY).json()
        counts = Counter(record[key] for record in found)
        assert set(counts.values()) <= {1, 2}
        assert list(counts) == [record[key] for record in sound[path]]
        assert all(record in sound[path] for record in found)
        assert len(found) - len(counts) == world.faults()["faults"][path == "/users"]["injected"] > 0


def test_a_late_session_precedes_the_asked_interval(world: World, get: Get) -> None:
    sound = get("/sessions", start_date="2020-02-01", end_date="2020-02-29").json()
    world.set_faults(["sessions:late_session:0.3"])
    found = get("/sessions", start_date="2020-02-01", end_date="2020-02-29").json()
    late = [session for session in found if session not in sound]
    assert [session for session in found if session in sound] == sound
    assert len(late) == _injected(world)[0] > 0
    assert all("2020-01-28" < session["session_start_time"] < "2020-02-01" for session in late)
    ids = {session["session_id"] for session in found}
    assert len(ids) == len(found)


@pytest.mark.parametrize("path", ["/users", "/sessions"])
def test_an_extra_column(world: World, get: Get, path: str) -> None:
    sound = get(path, **JANUARY).json()
    world.set_faults([f"{path[1:]}:extra_column:0.5", f"{path[1:]}:extra_column:0.5:field=coupon"])
    found = get(path, **JANUARY).json()
    extra = Counter(key for one, other in zip(sound, found, strict=True) for key in other if key not in one)
    assert set(extra) == {"campaign", "coupon"}
    assert [extra["campaign"], extra["coupon"]] == _injected(world)


@pytest.mark.parametrize("path", ["/users", "/sessions"])
def test_a_missing_column(world: World, get: Get, path: str) -> None:
    sound = get(path, **JANUARY).json()
    world.set_faults([f"{path[1:]}:missing_column:0.7"])
    found = get(path, **JANUARY).json()
    changed = [(one, other) for one, other in zip(sound, found, strict=True) if one != other]
    assert len(changed) == _injected(world)[0] > 0
    for one, other in changed:
        assert len(_leaves(other)) < len(_leaves(one))
        assert _leaves(other) <= _leaves(one)


def _leaves(value: Any, path: str = "") -> set[tuple[str, str]]:
    if isinstance(value, dict):
        return {leaf for name, inner in value.items() for leaf in _leaves(inner, f"{path}.{name}")}
    if isinstance(value, list):
        return {leaf for place, inner in enumerate(value) for leaf in _leaves(inner, f"{path}.{place}")}
    return {(path, repr(value))}


@pytest.mark.parametrize(
    ("endpoint", "field", "before", "after"),
    [
        ("sessions", "session_items.price", float, str),
        ("sessions", "session_items.liked", bool, str),
        ("sessions", "session_start_time", str, int),
        ("users", "user_since", str, int),
        ("users", "user_location", list, str),
        ("users", "user_name", str, list),
    ],
)
def test_a_type_flip(world: World, get: Get, endpoint: str, field: str, before: type, after: type) -> None:
    sound = get(f"/{endpoint}", **JANUARY).json()
    world.set_faults([f"{endpoint}:type_flip:1:field={field}"])
    found = get(f"/{endpoint}", **JANUARY).json()
    types = Counter(
        (type(one), type(other))
        for one, other in zip(_values(sound, field), _values(found, field), strict=True)
        if one != other
    )
    assert types == {(before, after): len(sound)}


def _values(records: list[dict[str, Any]], field: str) -> list[Any]:
    if field.startswith("session_items."):
        return [item[field.split(".")[1]] for record in records for item in record["session_items"]]
    return [record[field] for record in records]


def test_a_flipped_price_and_date_keep_their_meaning(world: World, get: Get) -> None:
    world.set_faults(["sessions:type_flip:1:field=session_items.price", "users:type_flip:1:field=user_since"])
    prices = _values(get("/sessions", **JANUARY).json(), "session_items.price")
    assert all(0.33 <= float(price) <= 1.85 and len(price) == 4 for price in prices if isinstance(price, str))
    assert get("/users", **JANUARY).json()[0]["user_since"] == 1577836800  # 2020-01-01T00:00:00Z


def test_a_drawn_type_flip_hits_several_fields(world: World, get: Get) -> None:
    sound = get("/sessions", start_date="2020-01-01", end_date="2020-12-31").json()
    world.set_faults(["sessions:type_flip:1"])
    found = get("/sessions", start_date="2020-01-01", end_date="2020-12-31").json()
    touched = set()
    for one, other in zip(sound, found, strict=True):
        touched |= {path.split(".")[-1] for path, _ in _leaves(one) - _leaves(other)}
    assert touched == {"price", "liked", "session_start_time", "liked_since"}


def test_replace_plants_the_value_a_rule_must_trip_on(world: World, get: Get) -> None:
    world.set_faults([
        "sessions:replace:1:field=session_items.price,value=9.99",
        "users:replace:1:field=user_lastname,value=null",
        {"endpoint": "users", "kind": "replace", "probability": 1, "field": "user_location", "value": ["1,5", "2"]},
    ])  # fmt: skip
    sessions = get("/sessions", **JANUARY).json()
    assert all([item["price"] for item in session["session_items"]].count(9.99) == 1 for session in sessions)
    users = get("/users", **JANUARY).json()
    assert {(user["user_lastname"], *user["user_location"]) for user in users} == {(None, "1,5", "2")}


def test_an_extra_column_inside_an_item(world: World, get: Get) -> None:
    world.set_faults(["sessions:extra_column:1:field=session_items.coupon"])
    sessions = get("/sessions", **JANUARY).json()
    assert all(["coupon" in item for item in session["session_items"]].count(True) == 1 for session in sessions)


def test_every_kind_has_been_seen_here() -> None:
    tests = [name for name in globals() if name.startswith("test_")]
    words = {
        "http_429": "429", "http_500": "500", "duplicate_session": "duplicates", "duplicate_user": "duplicates",
    }  # fmt: skip
    for kind in KINDS:
        assert any(words.get(kind, kind) in name for name in tests), kind


def test_a_bad_record_is_bad_in_every_reply(world: World, get: Get) -> None:
    world.set_faults(["sessions:missing_column:0.3"])
    first, again = get("/sessions", **JANUARY).body, get("/sessions", **JANUARY).body
    assert first == again
    quarter = get("/sessions", start_date="2020-01-01", end_date="2020-03-31").body
    assert quarter.startswith(first[:-1] + b",")


def test_request_faults_follow_the_seed(world: World, get: Get) -> None:
    def statuses() -> list[int]:
        world.set_faults(["users:http_500:0.5", "users:http_429:0.5"])
        return [get("/users", **JANUARY).status for _ in range(24)]

    first = statuses()
    assert first == statuses()
    assert set(first) == {500, 429, 200}


def test_faults_can_be_read_back_set_again_and_removed(world: World, get: Get) -> None:
    world.set_faults(["sessions:stall:0.25:seconds=2,times=3", 'users:replace:1:field=user_id,value="x"'])
    get("/users", **JANUARY)
    shown = world.faults()
    assert shown["injected"] == 10
    assert world.set_faults(shown["faults"])["injected"] == 0
    assert [_setting(rule) for rule in world.faults()["faults"]] == [_setting(rule) for rule in shown["faults"]]

    address = urlsplit(world.api_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    connection.request("DELETE", "/_faults")
    assert json.load(connection.getresponse())["faults"] == []
    connection.close()


def _setting(rule: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name not in ("requests", "injected")}


def test_grammar() -> None:
    assert Fault.parse("users:http_500") == Fault("users", "http_500", 1.0)
    assert Fault.parse("sessions:http_429:0.5") == Fault("sessions", "http_429", 0.5, seconds=1.0)
    assert Fault.parse("sessions:stall::times=2,record=0") == Fault("sessions", "stall", 1.0, 2, 30.0, 0)
    assert Fault.parse("users:type_flip") == Fault("users", "type_flip", 0.1)
    assert Fault.parse("sessions:replace:1:field=user_id,value=a:b=c").value == "a:b=c"
    assert Fault.parse("sessions:replace:1:field=session_items.price,value=-1").value == -1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sessions", "expected ENDPOINT:KIND"),
        ("songs:http_500", "expected the endpoint users or sessions"),
        ("users:late_session", "expected the endpoint sessions"),
        ("users:explode", "expected one of the kinds http_429"),
        ("users:http_500:2", "expected probability from 0 to 1, found '2'"),
        ("users:http_500:often", "expected probability from 0 to 1"),
        ("users:http_500:1:times", "expected OPTION=VALUE, found 'times'"),
        ("users:http_500:1:times=-1", "expected times as a whole number"),
        ("users:http_500:1:seconds=1", "expected only the options probability, times; found seconds"),
        ("users:type_flip:1:field=price", "expected a field of user_id"),
        ("users:replace:1:field=user_id", "expected field=NAME,value=JSON"),
        ("sessions:stall:1:seconds=99999", "expected seconds from 0 to 3600"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(world: World, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Fault.parse(text)
    with pytest.raises(ConfigError, match=said):
        WorldConfig(faults=(text,))
    with pytest.raises(ConfigError, match=said.replace("'", ".")):
        world.set_faults([text])
