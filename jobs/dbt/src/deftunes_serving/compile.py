"""The SQL of a target without a connection: proves that the project parses and compiles for it.

Data flow: the project's files -> dbt parse + compile -> HOME/<target>/compiled/. No database is read: the models query
none while they compile with --full-refresh (macros/intervals.sql), and dbt is told not to look either.
"""

from __future__ import annotations

from datetime import date

from deftunes_contract.errors import StageError
from deftunes_serving.project import project_folder
from deftunes_serving.runner import DbtProject
from deftunes_serving.settings import ProjectSettings

WITHOUT_CONNECTION = ("--full-refresh", "--no-introspect", "--no-populate-cache")


def compile_offline(settings: ProjectSettings, target: str) -> str:
    """Parse and compile every model and test for `target`; returns one sentence. Raises StageError."""
    project = DbtProject(project_folder(settings), settings.home, target)
    try:
        results = project.run(
            "compile", *WITHOUT_CONNECTION, variables={"start": date(2020, 1, 1), "end": date(2020, 2, 1)}
        )
    except StageError:
        raise
    except Exception as error:
        raise StageError(f"{settings.dbt_project} does not compile for {target}: {error}") from error
    if broken := [r for r in results if r.status != "success"]:
        raise StageError(f"{broken[0].node.name} does not compile for {target}: {broken[0].message}")
    return f"compiled {len(results)} models and tests for {target}: {settings.home / target / 'compiled'}"
