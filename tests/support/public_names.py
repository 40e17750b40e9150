"""What people and clusters hold on to, read from the code: one list of names a section.

    python tests/support/public_names.py --add      writes new names into tests/docs/frozen_names.yaml, removes none

The sections are what tests/docs/test_frozen_names.py compares with that file.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, get_args

import yaml
from helm_binary import find_helm
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
LIST = ROOT / "tests" / "docs" / "frozen_names.yaml"
CHART = ROOT / "charts" / "deftunes"
HEAD = """\
# Names that people, scripts and clusters hold on to. tests/docs/test_frozen_names.py fails when one of them is missing
# or renamed, and when a new one is not listed. Adding is a decision, because what stands here stays:
#     .venv/bin/python tests/support/public_names.py --add
# Section `dags` is compared by tests/dags, in Airflow's environment; it is added to by hand.
"""
_OPEN = ("workloads",)
"""Values whose keys are names of their own (CronJobs), pinned there."""


def _commands() -> Iterator[str]:
    from deftunes_cli.command_tree import commands

    for command in commands():
        yield command.name
        yield from (f"{command.name} {argument}" for argument in command.arguments)


def _exit_codes() -> Iterator[str]:
    from deftunes_contract.errors import ExitCode

    return (str(int(code)) for code in ExitCode)


def _environment() -> Iterator[str]:
    """Names in the code that people run, and the settings that are derived from classes."""
    from deftunes_cli.generate_docs import settings_page

    listed = subprocess.run(
        ["git", "ls-files", "jobs", "cli/src", "simulator/src", "airflow", "charts"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    files = [ROOT / name for name in listed if name.endswith((".py", ".yaml", ".yml", ".tpl", "Dockerfile", ".sql"))]
    texts = [file.read_text(encoding="utf-8") for file in files if file.exists()]
    for text in [*texts, settings_page()]:
        # a name that goes on with another letter is a pattern, such as DEFTUNES_AIRFLOW_*
        yield from re.findall(r"\bDEFTUNES_[A-Z0-9_]*[A-Z0-9]\b(?![{*])", text)


def _pipelines() -> Iterator[str]:
    from deftunes_cli.airflow.service import MAINTENANCE
    from deftunes_cli.run import ALL
    from deftunes_contract.registry import registry

    return (f"--pipeline {name}" for name in (*registry().pipelines, ALL, MAINTENANCE))


def _tables() -> Iterator[str]:
    from deftunes_contract.registry import load, registry

    for name in registry().tables:
        yield from (f"{name}.{column.name}" for column in load(name).columns)


def _rules() -> Iterator[str]:
    from deftunes_contract.registry import load, registry

    return (f"{name}: {rule.id}" for name in registry().names for rule in load(name).rules)


def _serving() -> Iterator[str]:
    """Models that readers see, with the columns that their descriptions name; int_ and stg_ are dbt's own."""
    for file in (ROOT / "jobs" / "dbt" / "models").rglob("*.yml"):
        for model in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("models", []):
            if not model["name"].startswith(("int_", "stg_")):
                yield model["name"]
                yield from (f"{model['name']}.{column['name']}" for column in model.get("columns", []))


def _places() -> Iterator[str]:
    """Paths in the lake, branches and tags: for one month and one run."""
    from deftunes_contract import layout
    from deftunes_contract.registry import load, registry

    day, run = date(2020, 2, 1), "run-1"
    for name in registry().names:
        yield layout.receipt(load(name).landing_folder, day)
    yield layout.quality_result("users", day, run)
    yield layout.TRANSFORM_ZONE
    yield f"branch {layout.branch(run, day)}"
    yield f"tag {layout.interval_tag(day)}"
    yield f"tag {layout.previous_tag(day)}"


def _keys(model: type[BaseModel], path: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        below = f"{path}.{field.serialization_alias or field.alias or name}"
        yield below
        for inner in _models(field.annotation):
            yield from _keys(inner, below)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _json() -> Iterator[str]:
    from deftunes_cli.run_record import RunRecord
    from deftunes_cli.status import Status
    from deftunes_contract.gate import GateResult
    from deftunes_contract.receipt import Receipt
    from deftunes_serving.verify import Verification

    models = {"receipt": Receipt, "gate result": GateResult, "run record": RunRecord}
    for name, model in (models | {"verify --json": Verification, "status --json": Status}).items():
        yield from _keys(model, name)


def _snapshots() -> Iterator[str]:
    from deftunes_contract.load_metrics import PREFIX, LoadMetrics

    return (f"{PREFIX}{name.replace('_', '-')}" for name in LoadMetrics.model_fields)


def _values() -> Iterator[str]:
    def walk(node: Mapping[str, Any], path: str) -> Iterator[str]:
        for key, value in node.items():
            yield f"{path}{key}"
            if isinstance(value, Mapping) and key not in _OPEN:
                yield from walk(value, f"{path}{key}.")

    return walk(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")), "")


def _resources() -> Iterator[str]:
    """What kubectl, jobs and identities name: of a release `deftunes` with Airflow inside, as an evaluation has it."""
    helm = find_helm()
    if helm is None:
        return
    given = [
        word for name in ("evaluation", "airflow") for word in ("--values", str(CHART / "ci" / f"{name}-values.yaml"))
    ]
    rendered = subprocess.run(
        [helm, "template", "deftunes", str(CHART), "--kube-version", "1.34.0", *given],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for document in yaml.load_all(rendered, yaml.CSafeLoader):
        if document and document["kind"] in ("CronJob", "Service", "ServiceAccount"):
            yield f"{document['kind']} {document['metadata']['name']}"
    yield from (f"label {name}" for name in re.findall(r"\bdeftunes\.io/[a-z-]+(?=: )", rendered))


def _images() -> Iterator[str]:
    text = (ROOT / "docker-bake.hcl").read_text(encoding="utf-8")
    (pattern,) = re.findall(r'result = \["(.+)"\]', text)
    (images,) = re.findall(r'group "default" \{\s*targets = \[(.+)\]', text)
    return (pattern.replace("${image}", image) for image in re.findall(r'"([^"]+)"', images))


SECTIONS = {
    "commands": _commands,
    "exit codes": _exit_codes,
    "pipelines": _pipelines,
    "environment": _environment,
    "tables": _tables,
    "rules": _rules,
    "serving": _serving,
    "places in the lake": _places,
    "json keys": _json,
    "snapshot properties": _snapshots,
    "chart values": _values,
    "kubernetes": _resources,
    "images": _images,
}
"""Section of the list → the names that the code has. `dags` are read in Airflow's own environment."""


def actual(section: str) -> list[str]:
    """Names of a section as the code has them, sorted."""
    return sorted(set(SECTIONS[section]()))


def listed() -> dict[str, list[str]]:
    """The committed list."""
    found: dict[str, list[str]] = yaml.safe_load(LIST.read_text(encoding="utf-8")) if LIST.exists() else {}
    return found


def main() -> int:
    """Add what is new; says what."""
    now = listed()
    for section in SECTIONS:
        known = {str(name) for name in now.get(section, [])}
        added = sorted(set(actual(section)) - known)
        now[section] = sorted(known | set(added))
        sys.stdout.write("".join(f"{section}: {name}\n" for name in added))
    LIST.write_text(HEAD + yaml.safe_dump(now, sort_keys=False, width=200, allow_unicode=True), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main() if sys.argv[1:] == ["--add"] else "usage: public_names.py --add")
