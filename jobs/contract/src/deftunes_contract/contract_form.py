"""Whether a document has the form of the standard: known properties only, at every depth, each fault with its line.

The standard's own models ignore properties that they do not know, so a misspelt one would be lost without a word.
"""

from __future__ import annotations

from typing import Any, get_args

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import BaseModel

from deftunes_contract.yaml_document import Path, Problem, YamlDocument

_OWN_FORM = frozenset({"servers"})
"""Properties whose options are checked elsewhere, by models of this package."""


def unknown_properties(document: YamlDocument) -> list[Problem]:
    """Every property of a contract that the standard does not have."""
    return _unknown(document, document.value, OpenDataContractStandard, ())


def _unknown(document: YamlDocument, value: dict[str, Any], model: type[BaseModel], path: Path) -> list[Problem]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    problems = []
    for key, inner in value.items():
        if key not in fields:
            problems.append(
                document.problem(
                    (*path, str(key)),
                    f"expected a property that the standard has here ({', '.join(sorted(fields))}), found {key!r}; "
                    "correct it, or put it into customProperties",
                )
            )
        elif key not in _OWN_FORM and len(models := _models(fields[key].annotation)) == 1:
            items = enumerate(inner) if isinstance(inner, list) else [(None, inner)]
            for at, item in items:
                if isinstance(item, dict):
                    place: Path = (*path, key) if at is None else (*path, key, at)
                    problems += _unknown(document, item, models[0], place)
    return problems


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
