"""Writes the dbt project's models/staging/sources.yml from the data contracts: `python -m deftunes_serving.sources`.

Data flow: deftunes_contract.entity -> sources.yml. With --check nothing is written and exit code 1 says that the file
is not what the contracts say. A test runs the check.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deftunes_contract.entity import ENTITIES, Entity, load
from deftunes_contract.settings import from_environment
from deftunes_serving.published import SCHEMA, TABLES, sql_type
from deftunes_serving.settings import ProjectSettings

HEAD = f"""\
# Written by `python -m deftunes_serving.sources` from the data contracts: do not edit, `--check` compares.
sources:
  - name: {SCHEMA}
    description: The published Iceberg tables; in Redshift an external schema over the Glue database.
    database: "{{{{ 'published_lake' if target.type == 'duckdb' else target.database }}}}"
    schema: {SCHEMA}
    config:
      # a month is published within days of its end: the next one is due after 31 more
      freshness: {{warn_after: {{count: 40, period: day}}, error_after: {{count: 70, period: day}}}}
      # the time of main's snapshot, as `deftunes-dbt freshness` found it
      loaded_at_query: "select cast('{{{{ var('published_at')[this.identifier] }}}}' as timestamp)"
    tables:
"""


def to_yaml(entities: Sequence[Entity]) -> str:
    """The file's content."""
    return HEAD + "".join(_table(entity) for entity in entities)


def _table(entity: Entity) -> str:
    purpose = f"{entity.purpose} {entity.usage} {entity.limitations} Grain: {entity.grain}."
    columns = "".join(
        f"          - name: {column.name}\n"
        f"            data_type: {sql_type(column.type)}\n"
        f"            description: {_text(column.description)}\n"
        for column in entity.columns
    )
    return (
        f"      - name: {entity.name}\n"
        f"        description: {_text(purpose)}\n"
        f"        config: {{{_age(entity)}meta: {{contract_version: {entity.version}}}}}\n"
        f"        columns:\n{columns}"
    )


def _age(entity: Entity) -> str:
    """The quarantine changes only when something is set aside: how old it is says nothing."""
    return "" if entity.name in ENTITIES else "freshness: null, "


def _text(text: str) -> str:
    # A JSON string is a YAML string; braces would be read by dbt as Jinja
    return json.dumps(text.replace("{{", "{ {").replace("{%", "{ %"), ensure_ascii=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deftunes_serving.sources", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args(argv)
    file: Path = from_environment(ProjectSettings).dbt_project / "models" / "staging" / "sources.yml"
    wanted = to_yaml([load(name) for name in TABLES])
    if not arguments.check:
        file.write_text(wanted, encoding="utf-8")
        sys.stdout.write(f"wrote {file}\n")
        return 0
    found = file.read_text(encoding="utf-8") if file.is_file() else None
    if found != wanted:
        sys.stderr.write(f"{file} is not what the contracts say; run python -m deftunes_serving.sources\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
