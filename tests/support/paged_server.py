"""A small HTTP API on loopback that pages in every style, checks who asks, and fails on demand."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

ENVELOPE = {"data_selector": "data.items"}
TOTAL = {"total_records_path": "paging.total"}
PAGINATORS: dict[str, dict[str, Any]] = {
    "header_link": {"type": "header_link", "total_records_header": "X-Total-Count"},
    "json_link": {"type": "json_link", "next_url_path": "paging.next", **TOTAL},
    "cursor": {"type": "cursor", "cursor_path": "paging.cursor", "cursor_param": "after", **TOTAL},
    "offset": {"type": "offset", "limit": 4, "total_path": "paging.total"},
    "page_number": {"type": "page_number", "base_page": 1, "total_path": "paging.pages", **TOTAL},
}
"""Options of each style as a contract would give them for this server."""


@dataclass
class Answer:
    """What is about to be sent; a fault changes it."""

    page: int
    """From 0."""
    attempt: int
    """How often this page has been requested, from 1."""
    records: list[Any]
    paging: dict[str, Any]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: float = 1.0
    """The share of the body that is sent before the connection is closed."""
    text: str | None = None
    """Sent instead of the records."""


class PagedServer:
    """`records` in pages of four. `fault` sees each answer, `authorize` each request."""

    def __init__(self, style: str, records: list[Any], size: int = 4) -> None:
        self.style, self.records, self.size = style, records, size
        self.requests: list[str] = []
        self.tokens: list[str] = []
        self.token_requests: list[dict[str, str]] = []
        self.token_reply: tuple[int, str] | None = None
        self.fault: Callable[[Answer], None] = lambda _: None
        self.authorize: Callable[[BaseHTTPRequestHandler], bool] = lambda _: True
        self.ndjson = False
        self.by_date = False
        """Whether `from` and `until` (inside) choose records by `user_since`."""
        self._attempts: dict[int, int] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.close_connection = True
                server.requests.append(self.path)
                with suppress(BrokenPipeError, ConnectionResetError):
                    server._get(self)

            def do_POST(self) -> None:
                self.close_connection = True
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                server._post(self, dict(parse_qsl(form)))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _start(self, query: dict[str, list[str]]) -> int:
        """The position of the first record that is asked for."""
        if self.style == "offset":
            return int(query["offset"][0])
        if self.style == "page_number":
            return (int(query["page"][0]) - 1) * self.size
        return int(query.get("after", ["0"])[0])

    def _answer(self, start: int, query: dict[str, list[str]]) -> Answer:
        page = start // self.size
        first, last = (query[name][0] for name in ("from", "until")) if self.by_date else ("", "9")
        chosen = [r for r in self.records if not self.by_date or first <= r["user_since"][:10] <= last]
        self._attempts[page] = self._attempts.get(page, 0) + 1
        end = start + self.size
        following = end if end < len(chosen) else None
        paging: dict[str, Any] = {"total": len(chosen), "pages": max(1, -(-len(chosen) // self.size))}
        headers = {"X-Total-Count": str(len(chosen))} if self.style == "header_link" else {}
        if following is not None:
            rest = urlencode({name: values[0] for name, values in query.items() if name != "after"})
            url = f"/api/users?{rest}&after={following}"
            if self.style == "header_link":
                headers["Link"] = f'<{url}>; rel="next", </terms>; rel="license"'
            if self.style == "json_link":
                paging["next"] = self.url + url
            if self.style == "cursor":
                paging["cursor"] = str(following)
        return Answer(page, self._attempts[page], chosen[start:end], paging, headers=headers)

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        if not self.authorize(handler):
            return self._send(handler, 401, b'{"detail": "who are you"}', {})
        query = parse_qs(urlsplit(handler.path).query)
        answer = self._answer(self._start(query), query)
        self.fault(answer)
        lines = [json.dumps(record, separators=(",", ":")) for record in answer.records]
        if answer.text is not None:
            body = answer.text
        elif self.ndjson:
            body = "".join(f"{line}\n" for line in lines)
        elif self.style == "header_link":
            body = f"[{','.join(lines)}]"
        else:
            body = f'{{"data": {{"items": [{", ".join(lines)}], "n": []}}, "paging": {json.dumps(answer.paging)}}}'
        self._send(handler, answer.status, body.encode(), answer.headers, answer.cut)
        return None

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], cut: float = 1.0
    ) -> None:
        handler.send_response(status)
        kind = "application/x-ndjson" if self.ndjson else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[: int(len(body) * cut)])
        handler.wfile.flush()

    def _post(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        """The token endpoint."""
        self.token_requests.append({**form, "authorization": handler.headers.get("Authorization", "")})
        if self.token_reply is not None:
            return self._send(handler, self.token_reply[0], self.token_reply[1].encode(), {})
        basic = "Basic " + base64.b64encode(b"me:hunter2-secret").decode()
        right = form.get("client_secret") == "hunter2-secret" or handler.headers.get("Authorization") == basic
        if not right or form.get("grant_type") != "client_credentials":
            return self._send(handler, 401, json.dumps({"error": "invalid_client", **form}).encode(), {})
        self.tokens.append(f"token-number-{len(self.tokens)}")
        body = {"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": 3600}
        self._send(handler, 200, json.dumps(body).encode(), {})
        return None
