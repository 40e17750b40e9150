"""What may leave the process: text without secrets, and without characters that do something to a terminal.

log lines · errors · traces · receipts · gate results · run records · pages ─► redact ─► out

Two nets. *Known values*: whatever the settings and the environment hold as a secret, in every form in which it travels
(raw, percent-encoded, JSON, base64 of `user:password`). *Patterns*: what looks like a secret wherever it comes from,
such as the user info of a URL, a signed query, an Authorization header. Each net holds what the other lets through.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
_ANYWHERE = 8
"""Letters from which on a known value is masked inside of words too; a shorter one only as a word of its own."""
_SHORTEST = 4
"""Known values of fewer letters are left to the patterns: masking every `a` makes nonsense and hides nothing."""
_PUBLIC = frozenset({"deftunes", "postgres", "postgresql", "localhost", "password", "songs", "users", "sessions"})
"""Words of our own sentences: someone who uses one as a password has told everybody already."""

_SECRET_VARIABLE = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|API_?KEY|ACCESS_KEY|CREDENTIALS?)$", re.IGNORECASE
)
_VALUE_OF_NO_SECRET = re.compile(r"true|false|none|null|\d{1,3}", re.IGNORECASE)
_TOKEN_LETTERS = 12
"""A user without a password is masked from here on: an access token used as a name, as code hosts and registries do."""
_USERINFO = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?P<userinfo>.*)@", re.IGNORECASE | re.DOTALL)

_known: set[str] = set()
"""Everything registered in this process, in all its forms. Only ever grows."""


def register(*values: str | None) -> None:
    """Remember secrets; `None` and empty ones are ignored."""
    for value in values:
        plain = (value or "").strip()
        if len(plain) >= _SHORTEST and plain.lower() not in _PUBLIC:
            _known.update(form for form in _forms(plain) if len(form) >= _SHORTEST)
    _matcher.cache_clear()


def register_login(user: str | None, password: str | None) -> None:
    """Remember a password, and the base64 text with which HTTP sends it."""
    if password:
        register(password)
        for encoding in ("utf-8", "latin-1"):
            try:
                sent = base64.b64encode(f"{user or ''}:{password}".encode(encoding)).decode()
            except UnicodeEncodeError:
                continue
            register(sent, sent.rstrip("="))


def register_userinfo(url: str | None) -> None:
    """Remember the user info of a URL of any form, however badly it is written: all before its last `@`."""
    found = _USERINFO.match(url or "")
    if found:
        userinfo = found["userinfo"]
        user, colon, password = userinfo.partition(":")
        if not colon and len(user) < _TOKEN_LETTERS:
            return
        secret = password if colon else user
        register(userinfo if colon else None)
        for form in {secret, unquote(secret)}:
            register_login(unquote(user) if colon else "", form)
            for piece in re.split(r"[@/?#]", form):  # an error of a parser names but a part of a badly written one
                register(piece)


def register_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Remember the secrets of an environment: by the variable's name, and the user info of every URL."""
    for name, value in environment.items():
        if _SECRET_VARIABLE.search(name) and not _VALUE_OF_NO_SECRET.fullmatch(value.strip()):
            register(value)
        if "@" in value and ("://" in value or name.upper().endswith("_PROXY")):
            register_userinfo(value)


def redact(text: str) -> str:
    """The text without secrets. Safe on JSON and HTML: what is masked never holds their delimiters."""
    matcher = _matcher()
    if matcher is not None:
        text = matcher.sub(MASK, text)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return _BASIC.sub(_without_basic, text)


def redact_all(value: Any) -> Any:
    """The same for every text in a structure of dicts, lists and tuples; other values are returned as they are."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: redact_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(item) for item in value]
    return value


def printable(text: str, keep: str = "") -> str:
    r"""The text with every character that does something shown as an escape (`\x1b`), but for those in `keep`.

    Control characters, line and paragraph separators, changes of direction, invisible ones, lone surrogates.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not _acts(c) else _escaped(c) for c in text)


def _acts(character: str) -> bool:
    # a joiner inside of an emoji or of Persian is part of how a name is written, and does nothing by itself
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\u200c\u200d"


def _escaped(character: str) -> str:
    code = ord(character)
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def _forms(value: str) -> Iterable[str]:
    """How a secret travels."""
    for plain in {value, unquote(value)}:
        yield plain
        yield quote(plain, safe="")
        yield quote(plain)
        yield quote_plus(plain)
        yield json.dumps(plain)[1:-1]
        yield json.dumps(plain, ensure_ascii=False)[1:-1]
        yield repr(plain)[1:-1]
        yield html.escape(plain)
        yield " ".join(plain.split())


@lru_cache(maxsize=1)
def _matcher() -> re.Pattern[str] | None:
    """All known values as one pattern, longest first."""
    if not _known:
        return None
    parts = []
    for value in sorted(_known, key=lambda form: (-len(form), form)):
        escaped = re.escape(value)
        parts.append(escaped if len(value) >= _ANYWHERE else rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])")
    return re.compile("|".join(parts))


_END = r"\s\"'<>\\"
"""What no secret of a pattern reaches beyond: white space and the delimiters of JSON, HTML and Python."""
_NAMED = (
    r"(?:[\w.\-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|"
    r"signature|credential|hmac|jwt)|pwd|sig|pgpass)"
)
_QUERY = (
    r"(?:[\w.\-]*(?:passw(?:or)?d|secret|token|api[_-]?key|key[_-]?id|key[_-]?pair[_-]?id|signature|credential|hmac|jwt|"
    r"auth(?!or)[\w.\-]*)[\w.\-]*|pwd|pass|sig|key|code|sas|policy|ticket|assertion|session)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        # a private key in PEM
        (r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(-----END|\Z)", rf"\1{MASK}\2"),
        # user:password@ with anything in it but white space; digits after the colon are a port
        (rf"(\b[a-z][a-z0-9+.-]*://)[^{_END}@/?#:\[]*:(?!\d+(?:[/?#]|$))[^{_END}]*@", rf"\1{MASK}@"),
        (rf"(\b[a-z][a-z0-9+.-]*://)[^{_END}/?#]+@", rf"\1{MASK}@"),
        # a header that a server shows again, as text, JSON or a Python dict
        (
            r"\b((?:proxy-)?authorization[\"'\\]*\s*[:=]\s*[\"'\\]*)(?:[a-z][\w-]*\s+)?"
            rf"(?:[\w-]+=(?:\"[^\"]*\"|[^,{_END}]*)(?:,\s*[\w-]+=(?:\"[^\"]*\"|[^,{_END}]*))+|[^,;{_END}]+)",
            rf"\1{MASK}",
        ),
        (
            rf"\b((?:set-)?cookie|x-(?:api|amz|auth|access|csrf|goog)[\w-]*(?:key|token|signature))"
            rf"([\"'\\]*\s*:\s*[\"'\\]*)[^{_END}]+",
            rf"\1\2{MASK}",
        ),
        # a signed query, percent-encoded in another URL too
        (rf"([?&;#]|%3F|%26)({_QUERY})(=|%3D)(?:(?!%26)[^&#{_END}])+", rf"\1\2\3{MASK}"),
        # "password": "…", and password='…' of a keyword/value DSN
        (rf"([\"']{_NAMED}\\+[\"']\s*:\s*)\\+[\"'](?:[^\"'\\])*\\+[\"']", rf"\1\"{MASK}\""),
        (rf"([\"']{_NAMED}[\"']\s*:\s*)(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", rf'\1"{MASK}"'),
        (
            rf"(?<![\w?&;#-])({_NAMED}\s*=\s*)(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,;&){_END}]+)",
            rf"\1{MASK}",
        ),
        (r"\b(bearer\s+)(?=[\w.~+/-]*[\d._~+/]|[\w-]{16})[\w.~+/-]{8,}=*", rf"\1{MASK}"),
        (r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)*", MASK),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK),
    )
)
_BASIC = re.compile(r"\b(basic\s+)([A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)


def _without_basic(found: re.Match[str]) -> str:
    """Masks base64 of `user:password` and nothing else: `basic authentication` is a word."""
    text = found[2].rstrip("=")
    try:
        decoded = base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return found[0]
    return f"{found[1]}{MASK}" if b":" in decoded else found[0]
