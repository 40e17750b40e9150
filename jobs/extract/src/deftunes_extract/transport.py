"""How the API is reached: which proxy and which certificates, as the environment says, and not at all for this machine.

*_PROXY, NO_PROXY ─► the proxy of one host, or none
SSL_CERT_FILE, SSL_CERT_DIR, DEFTUNES_<SERVER>_CA_FILE, …_CERT_FILE ─► a TLS context

The HTTP client does not read the environment by itself: it ends in a trace over values that curl, Docker Desktop and
desktops set every day. Here each one is understood, or named in a UsageError that does not show it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx

from deftunes_contract.errors import UsageError
from deftunes_contract.hosts import is_loopback
from deftunes_contract.redaction import register_login, register_userinfo
from deftunes_contract.settings import stripped
from deftunes_extract.http_settings import HttpServerSettings


def proxy_of(url: httpx.URL, environment: Mapping[str, str] = os.environ) -> httpx.Proxy | None:
    """The proxy on the way to a URL, None when there is none. Raises UsageError that names the variable."""
    if is_loopback(url.host) or _is_excepted(url, _value("NO_PROXY", environment)[1]):
        return None
    for wanted in (f"{url.scheme}_proxy", "all_proxy"):
        name, value = _value(wanted, environment)
        if value:
            return _proxy(name, value)
    return None


def tls_of(
    url: httpx.URL, environment: Mapping[str, str] = os.environ, settings: HttpServerSettings | None = None
) -> ssl.SSLContext:
    """The TLS context for a URL, with the server's own authority and the client's certificate where they are set.

    Raises UsageError that names the variable whose file holds no certificates.
    """
    context = _trusting(url, environment, settings)
    if settings is not None and settings.cert_file is not None and url.scheme == "https":
        try:
            # an encrypted key would ask a terminal for its passphrase
            context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
        except (OSError, ValueError) as error:
            names = " and ".join(settings.variable(f) for f in ("cert_file", "key_file") if getattr(settings, f))
            raise UsageError(
                f"{names}: expected a client certificate and its unencrypted key in PEM, found {type(error).__name__} "
                f"({getattr(error, 'reason', None) or 'unreadable'}); correct the mounted files"
            ) from None
    return context


def _trusting(url: httpx.URL, environment: Mapping[str, str], settings: HttpServerSettings | None) -> ssl.SSLContext:
    file, folder = (stripped(environment.get(name, "")) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    own = settings.ca_file if settings is not None else None
    if own is not None:
        file, folder = str(own), ""
    if url.scheme != "https" or not (file or folder):
        return httpx.create_ssl_context(trust_env=False)
    name, place = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folder)
    name = settings.variable("ca_file") if own and settings is not None else name
    try:
        if not file and not Path(folder).is_dir():
            raise NotADirectoryError(folder)
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise UsageError(
            f"{name}: expected trusted certificates in PEM at {place}, found {type(error).__name__}; "
            "correct the path or unset the variable"
        ) from None


def _value(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """A variable's name as it is written and its value; small letters win, as with curl."""
    for spelled in (name.lower(), name.upper()):
        if value := stripped(environment.get(spelled, "")):
            return spelled, value
    return name, ""


def _proxy(name: str, value: str) -> httpx.Proxy:
    register_userinfo(value)
    try:
        made = httpx.Proxy(value if "://" in value else f"http://{value}")
        usable = made.url.scheme in ("http", "https") and bool(made.url.host)
        scheme = made.url.scheme
    except (ValueError, httpx.InvalidURL):
        usable, scheme = False, value.partition("://")[0] if "://" in value else ""
    if not usable:
        found = f"the scheme {scheme}" if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else "another form"
        raise UsageError(
            f"{name}: expected a proxy like http://proxy.example:3128, found {found}; name an HTTP proxy, "
            "or name the API's host in NO_PROXY"
        )
    if made.raw_auth:
        user, password = (part.decode("utf-8", "replace") for part in made.raw_auth)
        register_login(user, password)
    return made


def _is_excepted(url: httpx.URL, excepted: str) -> bool:
    """Whether NO_PROXY names the host: `*`, a name and all below it, an address, a network; with or without a port."""
    return any(_names(entry, url) for entry in re.split(r"[,\s]+", excepted) if entry)


def _names(entry: str, url: httpx.URL) -> bool:
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2].lower()
    bracketed = re.fullmatch(r"\[([^\]]*)\](.*)", entry)
    host, rest = bracketed.groups() if bracketed else (entry, "")
    if not bracketed and entry.count(":") == 1:
        host, _, port = entry.partition(":")
        rest = f":{port}"
    if rest.startswith(":"):
        default = {"http": 80, "https": 443}.get(url.scheme)
        if rest[1:] != str(url.port or default):
            return False
        rest = ""
    network, address = _network(host + rest), _network(url.host)
    if network is not None and address is not None:
        return network.version == address.version and address.network_address in network
    name = host.removeprefix("*").strip(".")
    return bool(name) and (url.host == name or url.host.endswith(f".{name}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
