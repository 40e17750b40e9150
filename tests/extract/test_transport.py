"""Proxies and certificates as machines set them: understood, or named with exit code 2; never a trace."""

from __future__ import annotations

import os
from typing import Any

import httpx
import pytest

from deftunes_contract.errors import UsageError
from deftunes_extract.transport import proxy_of, tls_of

PROXY = {"ALL_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("host", "excepted", "direct"),
    [
        ("shop.example", "", False),
        ("shop.example", "*", True),
        ("shop.example", "example", True),
        ("shop.example", ".example, x", True),
        ("shop.example", "*.example", True),
        ("shop.example", "shop.example:443", True),
        ("shop.example", "shop.example:8443", False),
        ("notshop.example", "shop.example", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("[fd07:b51a:cc66:f0::9]", "localhost,fd07:b51a:cc66:f0::/64", True),
        ("[fd07::1]", "[fd07::1]", True),
        ("[fd07::1]", "fd07::1", True),
        ("[fd07::1]", "[fd07::1]:443", True),
        ("127.0.0.1", "", True),
        ("[::1]", "", True),
        ("localhost", "", True),
        ("shop.example", "[::1],/,:,//,[,]:x,10.0.0.0/99, ,é", False),
    ],
)
def test_no_proxy(host: str, excepted: str, direct: bool) -> None:
    found = proxy_of(httpx.URL(f"https://{host}/"), PROXY | {"NO_PROXY": excepted})
    assert (found is None) is direct


@pytest.mark.parametrize(
    "value", ["socks://h:1", "socks5://h:1", "ftp://h", "http://", "http://h:x", "://", "http://[::1"]
)
@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
def test_a_proxy_that_cannot_be_used_is_named_and_not_shown(name: str, value: str) -> None:
    secret = value.replace("://", "://me:hunter2@")
    with pytest.raises(UsageError, match=f"^{name}: expected a proxy") as refused:
        proxy_of(httpx.URL("https://shop.example"), {name: secret})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["http://h:1", "h:1", "http://h:1\n", ' "http://u:p%40@h:1" '])
def test_a_proxy_is_used(value: str) -> None:
    found = proxy_of(httpx.URL("https://shop.example"), {"HTTPS_PROXY": value, "HTTP_PROXY": "http://other"})
    assert found is not None
    assert (found.url.host, found.url.port) == ("h", 1)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_named(name: str, tmp_path: Any) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for place in ("/nowhere/at/all", str(empty)):
        with pytest.raises(UsageError, match=f"^{name}: expected"):
            tls_of(httpx.URL("https://shop.example"), {name: place})
    tls_of(httpx.URL("http://localhost"), {name: "/nowhere"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NO_PROXY", "localhost,127.0.0.1,[::1]"),
        ("no_proxy", "localhost,fd07:b51a:cc66:f0::/64"),
        ("ALL_PROXY", "socks://127.0.0.1:7890/"),
        ("HTTP_PROXY", "http://proxy.invalid:1\n"),
        ("http_proxy", "::"),
        ("SSL_CERT_FILE", "/nowhere"),
        ("SSL_CERT_DIR", "/nowhere"),
    ],
)
def test_an_api_on_this_machine_needs_none_of_them(
    api: Any, extract: Any, make: Any, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in [variable for variable in os.environ if variable.lower().endswith("_proxy")]:
        monkeypatch.delenv(other)
    api.say(api.records([make.user(1)]))
    assert extract("users", DEFTUNES_API_URL=api.url, **{name: value}).code == 0


@pytest.mark.parametrize(
    ("url", "settings", "refused"),
    [
        ("http://shop.invalid", {}, True),
        ("http://10.0.0.1", {}, True),
        ("http://shop.invalid", {"DEFTUNES_ALLOW_UNVERIFIED": "true"}, False),
        ("https://shop.invalid", {}, False),
    ],
)
def test_a_shop_that_proves_nothing_is_refused_unless_allowed(
    extract: Any, url: str, settings: dict[str, str], refused: bool
) -> None:
    outcome = extract("users", DEFTUNES_API_URL=url, DEFTUNES_EXTRACT_ATTEMPTS="1", **settings)
    assert outcome.code in (2, 75)
    assert ("DEFTUNES_ALLOW_UNVERIFIED" in outcome.said) is refused
