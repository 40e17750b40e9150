"""Failed connections: which of them pass by themselves, and which no waiting cures.

httpx's exception ─► the exceptions that caused it ─► SourceError (tried again) or UsageError (at once)

Decided by the classes and codes of OpenSSL, getaddrinfo, the operating system and the proxy, never by words.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from deftunes_contract.errors import UsageError
from deftunes_contract.retry import Deadline
from deftunes_extract.source import SourceError

_RETRYABLE = frozenset({408, 425, 429})
_NEVER_RETRYABLE = frozenset({501, 505, 511})
"""Server errors that say: never in this way (not implemented, HTTP version, a network that wants a login first)."""
_TLS_RETRYABLE = frozenset(
    {
        "TLSV1_ALERT_INTERNAL_ERROR",
        "TLSV1_ALERT_USER_CANCELLED",
        "SSLV3_ALERT_BAD_RECORD_MAC",
        "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
        "UNEXPECTED_EOF_WHILE_READING",
        "PROTOCOL_IS_SHUTDOWN",
    }
)
"""OpenSSL's names of what a broken line or a busy server does; any other TLS error is a matter of configuration."""
_NO_SUCH_HOST = frozenset(
    code
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY", "EAI_SERVICE", "EAI_SOCKTYPE")
    if (code := getattr(socket, name, None)) is not None
)
_NEVER = frozenset(
    {errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EINVAL, errno.ENAMETOOLONG}
)


def is_retryable(status: int) -> bool:
    """Whether an error status is one that passes by itself: some of the client's, nearly all of the server's."""
    return status in _RETRYABLE or (status >= 500 and status not in _NEVER_RETRYABLE)


def connection_error(error: Exception, where: str, in_head: bool, variable: str) -> SourceError | UsageError:
    """What a failed request of `where` means for the stage.

    in_head: before the head of a reply had come. variable: the setting that holds the server's address.
    """
    if isinstance(error, httpx.TimeoutException):
        return SourceError(f"{where} is silent for too long ({type(error).__name__})")
    if permanent := _permanent(error, in_head, variable):
        found, advice = permanent
        return UsageError(f"{where}: expected a connection to the API, found {found}; {advice}")
    return SourceError(f"{where}: the connection failed ({type(error).__name__}: {error})")


@contextmanager
def cut_at(deadline: Deadline, request: httpx.Request) -> Iterator[None]:
    """Cuts the request's connection when the time is up.

    Time-outs count from byte to byte, so a server that sends a header, or a 103, now and then is never late.
    """
    streams: list[Any] = []

    def remember(event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            streams.append(info["return_value"])

    def cut() -> None:
        for stream in streams:
            with suppress(OSError):  # closed already
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    request.extensions["trace"] = remember
    timer = threading.Timer(deadline.remaining, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def speaks_tls(url: httpx.URL, seconds: float) -> bool:
    """Whether a server that hung up on an http:// request would have liked it as https://; asked by a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent, and only TLS is looked for
    try:
        with (
            socket.create_connection((url.host, url.port or 80), timeout=seconds) as connection,
            context.wrap_socket(connection, server_hostname=url.host),
        ):
            return True
    except (OSError, ValueError):
        return False


def _permanent(error: Exception, in_head: bool, variable: str) -> tuple[str, str] | None:
    """What was found and what to do, when no waiting cures it."""
    causes = list(_causes(error))
    for cause in causes:
        match cause:
            case ssl.SSLCertVerificationError():
                return (
                    f"a certificate that is not trusted ({cause.verify_message}, code {cause.verify_code})",
                    f"set SSL_CERT_FILE or {variable.removesuffix('URL')}CA_FILE to the PEM file of the authority that "
                    f"signed it, or correct the server's certificate or the host in {variable}",
                )
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ssl.SSLSyscallError():
                return None
            case ssl.SSLError():
                if cause.reason is None or cause.reason in _TLS_RETRYABLE:
                    return None
                return (
                    f"no TLS that both sides speak ({cause.reason})",
                    f"correct {variable} (https:// or http://, host, port) or the server's TLS",
                )
            case socket.gaierror() if cause.errno in _NO_SUCH_HOST:
                return f"no host of this name ({cause.strerror})", f"correct the host in {variable} or the proxy's"
            case UnicodeError():
                return f"no name of a host ({cause})", f"correct the host in {variable}"
            case OSError() if cause.errno in _NEVER:
                return f"{errno.errorcode[cause.errno]} ({cause.strerror})", f"correct {variable} or the network"
    if isinstance(error, httpx.ProxyError) and (status := _status(str(error))):
        if is_retryable(status):
            return None
        return f"a proxy that answers {error}", "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY and its user and password"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.ProxyError):
        return f"{type(error).__name__} ({error})", f"correct {variable} or the proxy's address"
    # the parser of HTTP, below httpcore, stumbled over the reply's head; a peer that only hangs up has no such cause
    if in_head and isinstance(error, httpx.RemoteProtocolError) and len(causes) > 2:
        return (
            f"something that is not HTTP ({error})",
            f"correct {variable} (http:// or https://, host, port)",
        )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those below it, outermost first."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(text: str) -> int:
    """The status code at the start of a proxy's refusal, or 0."""
    code = text.partition(" ")[0]
    return int(code) if code.isdecimal() and len(code) == 3 else 0
