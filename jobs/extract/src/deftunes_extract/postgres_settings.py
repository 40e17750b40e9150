"""Where a PostgreSQL database is: `DEFTUNES_<SERVER>_DSN` or `DEFTUNES_<SERVER>_DSN_FILE`, for a server of any name.

environment ─► PostgresServerSettings of one server (a URI in a file stays there until each connection reads it)
"""

from __future__ import annotations

from functools import cache

from pydantic import Field, FilePath, SecretStr, model_validator

from deftunes_contract.settings import Settings, read_secret


class PostgresServerSettings(Settings):
    """The settings of one server; `postgres_server_settings` makes the class whose variables have its name."""

    allow_unverified: bool = Field(
        False,
        alias="DEFTUNES_ALLOW_UNVERIFIED",
        description="true: read from other hosts without TLS that proves them (sslmode below verify-ca)",
    )
    dsn: SecretStr = Field(
        SecretStr(""),
        description="libpq URI of the database; its password better by PGPASSWORD, PGPASSFILE or the next one",
    )
    dsn_file: FilePath | None = Field(None, description="mounted file that holds the URI, instead of the one above")
    timeout: float = Field(60, gt=0, description="seconds without a byte after which a copy is given up")

    @model_validator(mode="after")
    def _one_of_two(self) -> PostgresServerSettings:
        names = self.variable("dsn"), self.variable("dsn_file")
        if self.dsn.get_secret_value() and self.dsn_file is not None:
            raise ValueError(f"{names[1]}: {names[0]} is set too; set one of the two")
        if not self.dsn.get_secret_value() and self.dsn_file is None:
            raise ValueError(f"{names[1]}: neither {names[0]} nor {names[1]} is set; set one of the two")
        return self

    @property
    def uri(self) -> str:
        """The database's URI, a secret. Raises UsageError when the file cannot be read."""
        if self.dsn_file is None:
            return self.dsn.get_secret_value()
        return read_secret(self.dsn_file, self.variable("dsn_file"))

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        return str(cls.model_fields[field].alias)


@cache
def postgres_server_settings(server: str) -> type[PostgresServerSettings]:
    """The class of a server's settings, for `from_environment`."""
    prefix = f"DEFTUNES_{server.upper()}_"

    class ServerSettings(PostgresServerSettings):
        """The settings of this server."""

        model_config = PostgresServerSettings.model_config | {"alias_generator": lambda name: prefix + name.upper()}

    return ServerSettings
