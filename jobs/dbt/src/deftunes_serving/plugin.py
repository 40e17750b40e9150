"""The dbt-duckdb plugin of target `embedded`: the published tables, in the in-memory database `published_lake`.

dbt-duckdb loads this module by the name in profiles/profiles.yml when it connects.
"""

from __future__ import annotations

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from deftunes_contract.settings import LakeSettings, from_environment
from deftunes_serving.published import attach

DATABASE = "published_lake"
"""Named in dbt_project.yml and in models/staging/sources.yml too."""


class Plugin(BasePlugin):
    """Attaches the published tables once per connection to a serving file."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """See BasePlugin; called when dbt connects."""
        attach(conn, from_environment(LakeSettings), database=DATABASE)
