"""The dbt-duckdb plugin of target `embedded`: what a build reads beside the copy that it works on.

The published tables are the in-memory database `published_lake`; the state that readers see meanwhile is `served`
(macros/public.sql), read only, absent before the first build.

dbt-duckdb loads this module by the name in profiles/profiles.yml when it connects.
"""

from __future__ import annotations

import os
from pathlib import Path

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from deftunes_contract.settings import LakeSettings, from_environment
from deftunes_serving.lake_views import attach, quoted

DATABASE = "published_lake"
"""Named in dbt_project.yml and in models/staging/sources.yml too."""


class Plugin(BasePlugin):
    """Attaches both once per connection to a serving file."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """See BasePlugin; called when dbt connects."""
        attach(conn, from_environment(LakeSettings), database=DATABASE)
        served = Path(os.environ.get("DEFTUNES_DBT_SERVED", ""))
        if served.is_file():
            conn.execute(f"ATTACH IF NOT EXISTS {quoted(str(served))} AS served (READ_ONLY)")
