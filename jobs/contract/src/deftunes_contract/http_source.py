"""How an HTTP API is read, as data: the options that a contract gives for a server and for one of its endpoints.

contract (servers, endpoint) ─► HttpSource (validated, frozen) ─► deftunes_extract.http_api

Option names are those of dlt's rest_api source where they mean the same; docs/sources.md lists them all. Addresses and
secrets are never options: they come from the environment (`DEFTUNES_<SERVER>_URL`, `…_TOKEN_FILE`, …).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deftunes_contract.option_types import (
    DateRange,
    FieldPath,
    HeaderName,
    RelativePath,
    Selector,
    Template,
    json_path,
    render,
)

_SECRET_NAME = re.compile(
    r"(.*[_-])?(api[_-]?key|access[_-]?key|token|secret|passw(or)?d|authorization|cookie|credentials?)", re.IGNORECASE
)
_RESERVED_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te"})


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NoAuth(_Options):
    """Nothing is sent; user and password in the URL are sent as HTTP Basic."""

    type: Literal["none"] = "none"


class BearerAuth(_Options):
    """`Authorization: Bearer …` with the token in DEFTUNES_<SERVER>_TOKEN_FILE."""

    type: Literal["bearer"]


class HttpBasicAuth(_Options):
    """HTTP Basic with DEFTUNES_<SERVER>_USER and DEFTUNES_<SERVER>_PASSWORD_FILE."""

    type: Literal["http_basic"]


class ApiKeyAuth(_Options):
    """A key in DEFTUNES_<SERVER>_TOKEN_FILE, sent as header or query parameter `name`."""

    type: Literal["api_key"]
    name: HeaderName = "Authorization"
    location: Literal["header", "query"] = "header"


class OAuth2ClientCredentials(_Options):
    """OAuth 2 client credentials (RFC 6749 4.4): DEFTUNES_<SERVER>_CLIENT_ID and DEFTUNES_<SERVER>_CLIENT_SECRET_FILE.

    access_token_url: absolute, or a path on the server's own host; DEFTUNES_<SERVER>_TOKEN_URL overrides it.
    access_token_request_data: further fields of the request, such as scope. client_authentication: where id and secret
    are sent. default_token_expiration: seconds a token is used when the reply does not say.
    """

    type: Literal["oauth2_client_credentials"]
    access_token_url: str = "oauth/token"
    access_token_request_data: dict[str, str] = {}
    client_authentication: Literal["body", "basic"] = "body"
    default_token_expiration: int = Field(3600, gt=0)

    @model_validator(mode="after")
    def _without_secrets(self) -> OAuth2ClientCredentials:
        _refuse_secrets("access_token_request_data", self.access_token_request_data)
        return self


AuthOptions = Annotated[
    NoAuth | BearerAuth | HttpBasicAuth | ApiKeyAuth | OAuth2ClientCredentials, Field(discriminator="type")
]


class SinglePage(_Options):
    """One reply holds everything; one that announces more is refused."""

    type: Literal["single_page"] = "single_page"


class _Pages(_Options):
    """What every kind of paging may check.

    total_records_path, total_records_header: where each page gives the number of all records; it must stay the same and
    equal what came. version_header: a header with one value for the whole list; another value on a later page means
    that the list changed.
    """

    total_records_path: FieldPath | None = None
    total_records_header: HeaderName | None = None
    version_header: HeaderName | None = None


class HeaderLinkPaginator(_Pages):
    """The next page is the Link header's (RFC 8288) relation `links_next_key`."""

    type: Literal["header_link"]
    links_next_key: str = Field("next", min_length=1)


class JsonLinkPaginator(_Pages):
    """The next page's URL stands in the reply at `next_url_path`."""

    type: Literal["json_link"]
    next_url_path: FieldPath


class CursorPaginator(_Pages):
    """The reply holds a cursor at `cursor_path`; the next request sends it as `cursor_param`."""

    type: Literal["cursor"]
    cursor_path: FieldPath
    cursor_param: str = Field(min_length=1)


class _CountedPages(_Pages):
    """Pages that the client counts: the end must be known from a total or from `has_more_path`.

    stop_after_empty_page: true takes the first empty page for the end, where the API offers neither; the receipt
    then carries a warning.
    """

    total_path: FieldPath | None = None
    has_more_path: FieldPath | None = None
    stop_after_empty_page: bool = False

    @model_validator(mode="after")
    def _has_an_end(self) -> _CountedPages:
        ends = (self.total_path, self.total_records_path, self.total_records_header, self.has_more_path)
        if not any(ends) and not self.stop_after_empty_page:
            raise ValueError(
                "expected total_path, total_records_path, total_records_header or has_more_path, so that a missing "
                "last page is noticed; where the API offers none, set stop_after_empty_page: true"
            )
        return self


class OffsetPaginator(_CountedPages):
    """Requests `limit` records from `offset` on, which grows by what came. total_path: the number of all records."""

    type: Literal["offset"]
    limit: int = Field(gt=0)
    offset: int = Field(0, ge=0)
    offset_param: str = Field("offset", min_length=1)
    limit_param: str | None = "limit"


class PageNumberPaginator(_CountedPages):
    """Requests page `base_page`, then the following numbers. total_path: the number of all *pages*."""

    type: Literal["page_number"]
    base_page: int = Field(0, ge=0)
    page_param: str = Field("page", min_length=1)


PaginatorOptions = Annotated[
    SinglePage | HeaderLinkPaginator | JsonLinkPaginator | CursorPaginator | OffsetPaginator | PageNumberPaginator,
    Field(discriminator="type"),
]


class HttpSource(_Options):
    """One endpoint of an HTTP API: what a server's options and the endpoint's options say together.

    server: name of the server; addresses and secrets are `DEFTUNES_<SERVER>_…`. path: below the server's URL.
    data_selector: where the records stand in a JSON reply, `$` when it is the array itself. response_format: json, or
    ndjson for one record a line. requests_per_second: requests of one process to this server. slice_days: the interval
    is requested in slices of so many days, one after the other.
    """

    server: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    path: RelativePath
    params: dict[str, Template | int | bool] = {}
    headers: dict[HeaderName, str] = {}
    auth: AuthOptions = NoAuth()
    paginator: PaginatorOptions = SinglePage()
    data_selector: Selector = "$"
    response_format: Literal["json", "ndjson"] = "json"
    requests_per_second: float | None = Field(None, gt=0)
    slice_days: int | None = Field(None, ge=1, le=31)

    @model_validator(mode="after")
    def _is_consistent(self) -> HttpSource:
        _refuse_secrets("params", self.params)
        _refuse_secrets("headers", self.headers)
        for name, value in self.headers.items():
            if name.lower() in _RESERVED_HEADERS or not (value.isascii() and value.isprintable()):
                raise ValueError(f"headers: {name} cannot be set, or its value is not printable ASCII")
        dates = " ".join([self.path, *(str(value) for value in self.params.values())])
        if self.slice_days and not ("{start" in dates and ("{end" in dates or "{last_day" in dates)):
            raise ValueError("slice_days: expected {start} and {end} or {last_day} in params or path, found no dates")
        needs_fields = [name for name, value in self.paginator if name.endswith("_path") and value]
        if needs_fields and (self.response_format == "ndjson" or not self.selector):
            raise ValueError(
                f"{', '.join(needs_fields)}: expected a JSON object around the records, found response_format "
                f"{self.response_format} with data_selector {self.data_selector!r}"
            )
        if self.response_format == "ndjson" and self.selector:
            raise ValueError("data_selector: expected none with response_format ndjson, where every line is a record")
        return self

    @property
    def selector(self) -> tuple[str, ...]:
        """Names that lead to the records; empty when the reply is the array itself."""
        return tuple(str(step) for step in json_path(self.data_selector))

    def request_params(self, interval: DateRange) -> dict[str, str]:
        """The query of the first request, with the dates of an interval."""
        return {name: _param(value, interval) for name, value in self.params.items()}

    def request_path(self, interval: DateRange) -> str:
        """The path below the server's URL, with the dates of an interval."""
        return render(self.path, interval).strip("/")


def http_source(server: str, server_options: Mapping[str, Any], endpoint: str | Mapping[str, Any]) -> HttpSource:
    """An endpoint (a path, or its options) of a server with these options; headers and params are joined.

    Raises pydantic's ValidationError, which names every option that is unknown or wrong.
    """
    own = {"path": endpoint} if isinstance(endpoint, str) else dict(endpoint)
    joined: dict[str, Any] = dict(server_options) | own | {"server": server}
    for name in ("headers", "params"):
        of_server, of_endpoint = server_options.get(name), own.get(name)
        if isinstance(of_server, Mapping) and isinstance(of_endpoint, Mapping):
            joined[name] = {**of_server, **of_endpoint}
    return HttpSource.model_validate(joined)


def _param(value: str | int | bool, interval: DateRange) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return render(value, interval) if isinstance(value, str) else str(value)


def _refuse_secrets(option: str, values: Mapping[str, Any]) -> None:
    for name in values:
        if _SECRET_NAME.fullmatch(name):
            raise ValueError(f"{option}: {name} is a secret by its name; use auth, whose secrets are mounted files")
