"""Files that are written from the code: docs/contracts.md, settings.md and commands.md, and the chart's registry.

python -m deftunes_cli.generate_docs            write them
python -m deftunes_cli.generate_docs --check    exit 1 when one is not what the code says
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from deftunes_cli.command_tree import commands
from deftunes_contract.entity import Entity, Field
from deftunes_contract.errors import ExitCode
from deftunes_contract.http_source import HttpSource
from deftunes_contract.registry import SETTING, load, registry

DOCS = Path("docs")
HEAD = "<!-- written by `python -m deftunes_cli.generate_docs`; change the code, not this page -->\n\n"

TEXTS = """\
A column may be *normalised* before any rule looks at it (custom property `normalise`, steps in this order): `nfc`
gives a letter one spelling (Unicode NFC); `trim` takes off both ends what shows nothing (blanks of any kind, no-break
and zero-width ones and byte order marks among them) and makes null of an empty rest; `upper` makes a-z A-Z and leaves
other letters alone. The landed record keeps the text as it came. So does a column without steps: ids must be right as
they are, names of people are as they typed them, a session's song and artist are as shown at the sale.

`complete` (metric `missingValues: [null, ""]`) refuses null and every text that shows nothing. A text whose rule says
`nullValues` may be blank (`blank=allowed`), and so may a text without such a rule.

A country is one of ISO 3166-1's officially assigned alpha-2 codes. Any other text stays in the table, is counted by the
rule `country_code_iso`, and shows under the country `unknown` in serving. `UK`, `EL` and `XK` are not assigned (the
United Kingdom is `GB`, Greece `GR`, Kosovo has no code) and nobody guesses what they mean.
"""

SERVERS = """\
## Servers

A contract names the server of an entity, and nothing of where it is. The extract takes that, and the secrets, from
variables with the server's name in capitals: `DEFTUNES_<SERVER>_URL`, `DEFTUNES_<SERVER>_DSN_FILE`, …; those of the
packaged contracts' servers are in the table above, and a server that DEFTUNES_CONTRACTS adds has the same ones. Only
servers of the entities that a call names are needed; all that is missing is reported at once. Files with secrets are
read again before each use, so a mounted secret may be replaced while a pod runs.
"""


def contracts_page() -> str:
    """Every entity: columns, landed record, rules."""
    parts = ["# Data contracts\n"]
    parts.append(
        "One [Open Data Contract Standard](https://bitol-io.github.io/open-data-contract-standard/) file per entity\n"
        "in `jobs/contract/src/deftunes_contract/entities/`, and those that `DEFTUNES_CONTRACTS` adds or overlays\n"
        "([architecture.md](architecture.md)). Every stage derives from it: source, landing format, types, quarantine\n"
        "checks, expectation suites, publish order, dbt sources. Entities stand here in publish order.\n"
    )
    parts.append(TEXTS)
    parts.extend(_entity(load(name)) for name in registry().tables)
    return HEAD + "\n".join(parts)


def _entity(entity: Entity) -> str:
    lines = [f"\n## {entity.name}\n", f"{entity.purpose} {entity.usage} {entity.limitations}\n"]
    lines += [f"Version {entity.version}. Grain: `{entity.grain}`.{_origin(entity)}\n"]
    lines += ["| column | type | required | meaning |", "| --- | --- | --- | --- |"]
    for column in entity.columns:
        meaning = _cell(column.description) + (" *Personal.*" if column.pii else "")
        meaning += f" Normalised: {', '.join(column.normalise)}." if column.normalise else ""
        lines.append(f"| {column.name} | {column.type} | {'yes' if column.required else ''} | {meaning} |")
    if entity.record:
        lines += ["", f"Landed record `{entity.record_name}` ({entity.landing_format}): {_shape(entity.record)}."]
    if entity.rules:
        lines += ["", "| rule | severity | kind | on | meaning |", "| --- | --- | --- | --- | --- |"]
    for rule in entity.rules:
        name = f"**{rule.id}**" if rule.baseline else rule.id
        values = " ".join(f"{key}={_parameter(value)}" for key, value in rule.parameters.items()).replace("|", "\\|")
        on = " ".join(filter(None, (", ".join(rule.columns), f"`{values}`" if values else "")))
        lines.append(f"| {name} | {rule.severity} | {rule.kind} | {on} | {_cell(rule.description)} |")
    return "\n".join(lines) + "\n"


def _origin(entity: Entity) -> str:
    """Where the records come from and what they are, as the registry has it."""
    if entity.source is None:
        return ""
    source = entity.source
    what = f"`{source.path}`" if isinstance(source, HttpSource) else f"`{source.name}`"
    parts = [
        f" A {entity.role} of pipeline `{entity.pipeline}`, read from {what} of server `{entity.server}`",
        f"landed in `{entity.landing_folder}`",
        f"one row an item of `{entity.explode}`" if entity.explode else "",
        f"event time `{entity.event_time}`" if entity.event_time else "",
        f"money in `{entity.amount}`" if entity.amount else "",
        f"summed in serving as `{entity.serving_table}`" if entity.serving_table else "",
    ]
    return ", ".join(filter(None, parts)) + "."


def _parameter(value: object) -> str:
    """A rule's parameter; of a long list its beginning, the contract has the rest."""
    if isinstance(value, list) and len(value) > 10:
        return f"[{', '.join(map(str, value[:3]))}, … {len(value)} values]"
    return str(value)


def _shape(fields: tuple[Field, ...]) -> str:
    def one(field: Field) -> str:
        return f"`{field.name}` {field.type}" + (f" of ({_shape(field.children)})" if field.children else "")

    return ", ".join(one(field) for field in fields)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def settings_classes() -> Iterator[tuple[str, type[BaseSettings]]]:
    """Who reads which settings."""
    from deftunes_cli.airflow.settings import AirflowSettings
    from deftunes_contract.settings import LakeSettings, LogSettings
    from deftunes_extract.settings import ExtractSettings, servers_of
    from deftunes_lake.k8s_conf import ExecutorSettings
    from deftunes_lake.settings import JarSettings, SparkSettings
    from deftunes_serving.settings import ServingSettings
    from deftunes_transform.settings import TransformSettings

    yield "every command", LogSettings
    yield "every stage", LakeSettings
    yield "extract", ExtractSettings
    for server, kind in servers_of(list(registry().entities.values())).items():
        yield f"extract from {server}", kind
    yield "lake, transform, quality", SparkSettings
    yield "their executors on Kubernetes", ExecutorSettings
    yield "transform", TransformSettings
    yield "lake jars", JarSettings
    yield "dbt", ServingSettings
    yield "deftunes airflow", AirflowSettings


def settings_page() -> str:
    """Every setting once, with its default and meaning."""
    lines = ["# Settings\n", "*Where* things are comes from the environment; *what and when* from arguments.\n"]
    lines += ["| variable | read by | default | meaning |", "| --- | --- | --- | --- |"]
    lines.append("| DEFTUNES_HOME | deftunes | `.deftunes` | where an embedded platform keeps its state |")
    lines.append(
        "| DEFTUNES_CONTRACTS | every command |  | folder or s3://bucket/prefix with more contracts and overlays |"
    )
    seen: set[str] = set()
    for reader, kind in settings_classes():
        for field in kind.model_fields.values():
            name = field.alias or ""
            if name in seen:
                continue
            seen.add(name)
            lines.append(f"| {name} | {reader} | {_default(field)} | {_cell(field.description or '')} |")
    lines += ["", SERVERS]
    lines += ["", (DOCS / "settings-standard.txt").read_text(encoding="utf-8").strip()]
    return HEAD + "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = None if field.default_factory else field.default
    # a default path is this machine's; its description says how it is found
    return "" if value in ("", None) or isinstance(value, Path | SecretStr) else f"`{value}`"


def commands_page() -> str:
    """Every command with the help it prints, and the exit codes."""
    lines = ["# Commands\n", "Exit codes of all of them ([stage-contract.md](stage-contract.md)):\n"]
    lines += [f"- {code.value} {code.name.lower().replace('_', ' ')}" for code in ExitCode]
    for command in commands():
        text = "\n".join(line.rstrip() for line in command.help().strip().splitlines())
        lines += [f"\n## {command.name}\n", "```text", text, "```"]
    return HEAD + "\n".join(lines) + "\n"


def chart_registry() -> str:
    """What the chart knows of the packaged contracts: entities, pipelines in publish order, kinds of servers."""
    entities = sorted(registry().entities.values(), key=lambda entity: entity.pipeline)
    lines = [
        "# Written by `python -m deftunes_cli.generate_docs` from the packaged contracts; change them, not this file.",
        "entities:",
        *(
            f"  {e.name}: {{pipeline: {e.pipeline}, server: {e.server}, role: {e.role}, landing: {e.landing_folder}}}"
            for e in entities
        ),
        "pipelines:",
        *(f"  {name}: [{', '.join(members)}]" for name, members in sorted(registry().pipelines.items())),
        "servers:",
        *(f"  {name}: {{type: {server.type}}}" for name, server in sorted(registry().servers.items())),
    ]
    return "\n".join(lines) + "\n"


PAGES = {
    "docs/contracts.md": contracts_page,
    "docs/settings.md": settings_page,
    "docs/commands.md": commands_page,
    "charts/deftunes/files/registry.yaml": chart_registry,
}


def main(argv: list[str]) -> int:
    """Write the pages, or with --check say which differ."""
    os.environ.pop(SETTING, None)  # the packaged contracts, whatever this shell adds
    stale = []
    for name, write in PAGES.items():
        page, text = Path(name), write()
        if "--check" not in argv:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
        elif not page.exists() or page.read_text(encoding="utf-8") != text:
            stale.append(str(page))
    if stale:
        sys.stderr.write(f"{', '.join(stale)}: not what the code says; run `make format` and commit the result\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
