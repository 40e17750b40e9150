"""Where an HTTP API is and how a client proves who it is: `DEFTUNES_<SERVER>_…`, for a server of any name.

environment ─► HttpServerSettings of one server (secrets stay in their files until each request reads them)
"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from pydantic import Field, FilePath, ValidationInfo, field_validator, model_validator

from deftunes_contract.hosts import is_loopback
from deftunes_contract.settings import Settings


class HttpServerSettings(Settings):
    """The settings of one server; `http_server_settings` makes the class whose variables have the server's name."""

    allow_unverified: bool = Field(
        False,
        alias="DEFTUNES_ALLOW_UNVERIFIED",
        description="true: read from other hosts without TLS that proves them (http://)",
    )
    url: str = Field(description="root of the API, e.g. https://shop.example/api")
    timeout: float = Field(60, gt=0, description="seconds without a byte after which a request is given up")
    token_file: FilePath | None = Field(None, description="mounted file with the token (bearer) or the key (api_key)")
    user: str = Field("", description="user (http_basic)")
    password_file: FilePath | None = Field(None, description="mounted file with the password (http_basic)")
    client_id: str = Field("", description="client id (oauth2_client_credentials)")
    client_secret_file: FilePath | None = Field(
        None, description="mounted file with the client secret (oauth2_client_credentials)"
    )
    token_url: str = Field("", description="token endpoint, instead of the contract's access_token_url")
    ca_file: FilePath | None = Field(
        None, description="PEM file of the authority that signs the server's certificate, instead of SSL_CERT_FILE"
    )
    cert_file: FilePath | None = Field(None, description="PEM file of the client's certificate (mutual TLS)")
    key_file: FilePath | None = Field(None, description="PEM file of its key; default: in the same file")

    @field_validator("url", "token_url")
    @classmethod
    def _is_root(cls, value: str, info: ValidationInfo) -> str:
        if not value and info.field_name == "token_url":
            return value
        checked_url(value, bool(info.data.get("allow_unverified")))
        return value.rstrip("/")

    @model_validator(mode="after")
    def _key_has_certificate(self) -> HttpServerSettings:
        if self.key_file is not None and self.cert_file is None:
            raise ValueError(f"{self.variable('key_file')} is set without {self.variable('cert_file')}")
        return self

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        return str(cls.model_fields[field].alias)


def checked_url(value: str, allow_unverified: bool) -> None:
    """Raises ValueError, which does not show the value, when it is no address or would be read without protection."""
    try:
        url = urlsplit(value)
        usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        usable = False
    if not usable or url.query or url.fragment:
        raise ValueError("expected http(s)://host[:port][/path] without a query")
    if url.scheme == "http" and not is_loopback(str(url.hostname)) and not allow_unverified:
        raise ValueError(
            "expected https:// for a host that is not this machine, found http://, by which anybody on the way can "
            "read and change the data; use https://, or for a trial set DEFTUNES_ALLOW_UNVERIFIED=true"
        )


@cache
def http_server_settings(server: str) -> type[HttpServerSettings]:
    """The class of a server's settings, for `from_environment`."""
    prefix = f"DEFTUNES_{server.upper()}_"

    class ServerSettings(HttpServerSettings):
        """The settings of this server."""

        model_config = HttpServerSettings.model_config | {"alias_generator": lambda name: prefix + name.upper()}

    ServerSettings.__name__ = f"{server.title().replace('_', '')}ServerSettings"
    return ServerSettings
