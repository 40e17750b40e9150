"""The flags that lift a guard (`--allow-empty`, `--allow-shrink`, …), the same for every command that takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from deftunes_contract.allowances import METAVAR, Allowances, Guard

PARAMETER = "allowances"


def with_allowances(command: Callable[..., None]) -> Callable[..., None]:
    """A Typer command with one repeatable flag for each `Guard` in place of its parameter `allowances`.

    The command gets what was given, parsed. Raises UsageError for an unknown entity or no month.
    """

    @wraps(command)
    def call(**given: Any) -> None:
        texts = [(guard, given.pop(guard.name.lower()) or ()) for guard in Guard]
        command(**given, **{PARAMETER: Allowances.parse(texts)})

    parameters: list[inspect.Parameter] = []
    hints = get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == PARAMETER:
            parameters += [_flag(guard) for guard in Guard]
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name], kind=parameter.KEYWORD_ONLY))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _flag(guard: Guard) -> inspect.Parameter:
    option = typer.Option(guard.flag, metavar=METAVAR, help=f"Allow that {guard.help}; repeatable.")
    annotation = Annotated[list[str] | None, option]
    return inspect.Parameter(guard.name.lower(), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
