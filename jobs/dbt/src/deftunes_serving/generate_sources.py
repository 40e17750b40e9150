"""Writes what the dbt project has of the packaged contracts: `python -m deftunes_serving.generate_sources`.

Data flow: deftunes_contract.registry -> models/staging/sources.yml (tables, columns), macros/countries.sql (what is a
country), tests/*_equals_published.sql (one for each fact with a servingTable), staging models of entities that have
none. With --check nothing is written and exit code 1 says that a file is not what the contracts say. A test runs the
check. With DEFTUNES_CONTRACTS `deftunes_serving.project` makes the same files of all contracts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence

from deftunes_contract.entity import QUARANTINE, Entity
from deftunes_contract.normalise import LOWER_LETTERS, UPPER_LETTERS
from deftunes_contract.registry import Registry, build_registry, packaged_contracts
from deftunes_contract.settings import from_environment
from deftunes_serving.lake_views import SCHEMA, quoted, sql_type
from deftunes_serving.settings import ProjectSettings

HEAD = f"""\
# Written by `python -m deftunes_serving.generate_sources` from the data contracts: do not edit, `--check` compares.
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

MACRO = """\
{{# Written by `python -m deftunes_serving.generate_sources` from the data contracts: do not edit, `--check` compares.
#}}

{{#
  A country's code as rule `{rule}` of {entity} knows it, null for any other text. The transform has normalised it
  already, but not in months that an earlier release published.
#}}
{{% macro known_country(column) -%}}
    case
        when {spelled} in (
{rows}
        ) then {spelled}
    end
{{%- endmacro %}}
"""


CHECK = """\
{{# Written by `python -m deftunes_serving.generate_sources` from the data contracts: do not edit, `--check` compares.
   Contract {entity}: servingTable, amount; what is compared: macros/published.sql
#}}
{{{{ equals_published({arguments}) }}}}
"""

STAGING = """\
{{# Written from contract {entity} {version}, because there is no stg_{entity}.sql: the published rows as they are. #}}
{{{{ select_published('{entity}', [
{columns}
]) }}}}
"""


def generated_files(contracts: Registry, skip: Collection[str]) -> dict[str, str]:
    """Path in the dbt project -> text of all that follows from the contracts. `skip`: models that are there already."""
    staging = "models/staging"
    files = {
        f"{staging}/sources.yml": to_yaml([contracts.entity(name) for name in contracts.tables]),
        "macros/countries.sql": to_macro(contracts.entity("users")),  # dim_users of the packaged star is made of it
    }
    for entity in contracts.entities.values():
        if entity.serving_table:
            arguments = [entity.name, entity.serving_table, *([entity.amount] if entity.amount else [])]
            files[f"tests/{entity.serving_table}_equals_published.sql"] = CHECK.format(
                entity=entity.name, arguments=", ".join(f"'{argument}'" for argument in arguments)
            )
        if f"stg_{entity.name}" not in skip:
            files[f"{staging}/stg_{entity.name}.sql"] = to_staging(entity)
            files[f"{staging}/stg_{entity.name}.yml"] = _staging_yaml(entity)
    return files


def to_staging(entity: Entity) -> str:
    """A staging model that passes the published rows on, a column of the contract each, by name."""
    columns = ",\n".join(f"    {{'name': '{c.name}', 'type': '{sql_type(c.type)}'}}" for c in entity.columns)
    return STAGING.format(entity=entity.name, version=entity.version, columns=columns)


def _staging_yaml(entity: Entity) -> str:
    described = _text(f"{entity.purpose} Published rows as they are. Grain: {entity.grain}.")
    columns = "".join(f"      - {{name: {c.name}, description: {_text(c.description)}}}\n" for c in entity.columns)
    return f"models:\n  - name: stg_{entity.name}\n    description: {described}\n    columns:\n{columns}"


def to_yaml(entities: Sequence[Entity]) -> str:
    """The file of dbt's sources, a table for each entity."""
    return HEAD + "".join(_table(entity) for entity in entities)


def to_macro(users: Entity) -> str:
    """The macro that tells countries from other texts; they are few lines of SQL, and both targets read them."""
    (rule,) = (rule for rule in users.rules_of("allowed") if rule.column == "country_code")
    codes = [quoted(str(code)) for code in rule.parameters["values"]]
    rows = ",\n".join("        " + ", ".join(codes[first : first + 16]) for first in range(0, len(codes), 16))
    return MACRO.format(
        rule=rule.id,
        entity=users.name,
        spelled=f"translate(trim({{{{ column }}}}), '{LOWER_LETTERS}', '{UPPER_LETTERS}')",
        rows=rows,
    )


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
    return "freshness: null, " if entity.name == QUARANTINE else ""


def _text(text: str) -> str:
    # A JSON string is a YAML string; braces would be read by dbt as Jinja
    return json.dumps(text.replace("{{", "{ {").replace("{%", "{ %"), ensure_ascii=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deftunes_serving.generate_sources", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args(argv)
    project = from_environment(ProjectSettings).dbt_project
    contracts, problems = build_registry(packaged_contracts())
    if contracts is None:
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        return 1
    models = {file.stem for file in (project / "models").rglob("*.sql")}
    wanted = {project / path: text for path, text in generated_files(contracts, models).items()}
    if not arguments.check:
        for file, text in wanted.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {file}\n")
        return 0
    changed = [file for file, text in wanted.items() if not file.is_file() or file.read_text(encoding="utf-8") != text]
    for file in changed:
        sys.stderr.write(f"{file} is not what the contracts say; run python -m deftunes_serving.generate_sources\n")
    return 1 if changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
