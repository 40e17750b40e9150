"""Airflow's public REST API (v2) as this package needs it: JSON in, JSON out, errors with a sentence on what to do.

account ─► POST /auth/token (both auth managers have it) ─► token ─► /api/v2/…
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deftunes_contract.errors import RetryableError, UsageError
from deftunes_contract.retry import RetryPolicy

if TYPE_CHECKING:  # a tenth of a second to import: `deftunes --help` must not pay for it
    import httpx

Json = dict[str, Any]
PAGE = 100
"""Most that Airflow gives at once, unless its [api] maximum_page_limit was raised."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds. A test hands in shorter ones."""

    poll: float = 2.0
    """A task takes ten seconds and more; what is asked for costs Airflow's database a few queries."""
    read_timeout: float = 30.0
    """A server that is asked for its first token loads its account manager, about ten seconds."""
    back_off: float = 0.5
    attempts: int = 3
    """A person waits for the answer."""
    attempts_following: int = 8
    """With doubled pauses about a minute: an API server's restart, not an outage."""


class NotFound(UsageError):
    """404: what was asked for is not there."""


class AlreadyExists(UsageError):
    """409: it is in the way of what is already there."""


class AirflowClient:
    """One Airflow, asked as one account."""

    def __init__(self, client: httpx.Client, user: str, password: str, timeouts: Timeouts | None = None) -> None:
        """`client` has Airflow's root as its base URL. Nothing is asked yet."""
        self._client, self._user, self._password = client, user, password
        self.timeouts = timeouts or Timeouts()
        self._token = ""

    @property
    def url(self) -> str:
        """Airflow's root."""
        return str(self._client.base_url).rstrip("/")

    def get(self, path: str, *, following: bool = False, **query: object) -> Json:
        """GET below /api/v2, asked again when the server does not answer; longer while following a run.

        Raises NotFound (404), UsageError (other refusals), RetryableError (no sensible answer).
        """
        attempts = self.timeouts.attempts_following if following else self.timeouts.attempts
        params = {key: str(value) for key, value in query.items()}
        retries = RetryPolicy(attempts, (RetryableError,), initial=self.timeouts.back_off)
        return retries.call("Airflow", lambda: self._once("GET", path, params=params))

    def post(self, path: str, body: Json) -> Json:
        """POST below /api/v2, once: an answer that was lost may have been a yes.

        Raises NotFound (404), AlreadyExists (409), UsageError (other refusals), RetryableError (no sensible answer).
        """
        return self._once("POST", path, json=body)

    def pages(self, path: str, items: str, *, following: bool = False, **query: object) -> Iterator[Json]:
        """All items of a collection, page by page; raises as `get` does."""
        seen = 0
        while True:
            page = self.get(path, following=following, limit=PAGE, offset=seen, **query)
            yield from page[items]
            seen += len(page[items])
            if not page[items] or seen >= page["total_entries"]:
                return

    def _once(self, method: str, path: str, **more: Any) -> Json:
        fresh = not self._token
        if fresh:
            self._log_in()
        answer = self._ask(method, f"/api/v2{path}", headers={"Authorization": f"Bearer {self._token}"}, **more)
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and not fresh:
            # a token ends after a day, or with the key of a server that is made anew; Airflow says 403 to such a one
            self._token = ""
            return self._once(method, path, **more)
        return self._read(answer)

    def _log_in(self) -> None:
        body = {"username": self._user, "password": self._password}
        answer = self._ask("POST", "/auth/token", json=body)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            raise UsageError(
                f"{self.url} does not know {self._user} with this password; correct DEFTUNES_AIRFLOW_USER and "
                "DEFTUNES_AIRFLOW_PASSWORD_FILE (or DEFTUNES_AIRFLOW_PASSWORD)"
            )
        token = self._read(answer).get("access_token")
        if not isinstance(token, str):
            raise UsageError(f"expected a token from {self.url}/auth/token, found none; is this an Airflow 3?")
        self._token = token

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        import httpx

        try:
            return self._client.request(method, path, timeout=self.timeouts.read_timeout, **more)
        except httpx.HTTPError as error:
            raise RetryableError(
                f"no answer from Airflow at {self.url} ({type(error).__name__}: {error}); is DEFTUNES_AIRFLOW_URL "
                "right and does its API server run? From outside of a cluster it needs kubectl port-forward"
            ) from None

    def _read(self, answer: httpx.Response) -> Json:
        status = answer.status_code
        where = f"{answer.request.method} {answer.request.url.copy_with(query=None)}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RetryableError(f"Airflow answered {status} to {where}: {_detail(answer)}; try again")
        if status == HTTPStatus.FORBIDDEN:
            raise UsageError(f"{self._user} may not {where}: {_detail(answer)}; give the account a role that may")
        if status >= HTTPStatus.BAD_REQUEST:
            kind = {HTTPStatus.NOT_FOUND: NotFound, HTTPStatus.CONFLICT: AlreadyExists}.get(
                HTTPStatus(status), UsageError
            )
            raise kind(f"Airflow answered {status} to {where}: {_detail(answer)}")
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise UsageError(
                f"expected JSON from {where}, found {status} {answer.headers.get('content-type', 'without a type')}; "
                "is DEFTUNES_AIRFLOW_URL the root of an Airflow 3?"
            )
        return body


def quote_path(text: str) -> str:
    """A word as one part of a path: run ids hold plus signs and colons."""
    return quote(text, safe="")


def _detail(answer: httpx.Response) -> str:
    """What Airflow says about a refusal; its forms differ from route to route."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
    if isinstance(detail, list):
        return "; ".join(
            f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg')}" if isinstance(one, dict) else str(one)
            for one in detail
        )
    if isinstance(detail, dict):  # a constraint of its database
        return str(detail.get("reason", detail))
    return str(detail)
