"""Every command of the platform with its arguments, found from the packages' console scripts.

[project.scripts] of the installed deftunes packages ─► Typer's or argparse's own tree ─► one `Command` per verb

No command runs: an argparse stage is stopped where it would parse its arguments. The pages of docs/ and the test that
keeps public names are made from this.
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from enum import Enum
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NoReturn
from unittest.mock import patch


@dataclass(frozen=True)
class Command:
    """One command or verb. arguments: flags with their dashes, positionals by their metavar, `--flag=choice`s."""

    words: tuple[str, ...]
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """As typed: `deftunes job run`."""
        return " ".join(self.words)

    def help(self) -> str:
        """What `--help` prints on a terminal of 100 columns without colours."""
        script, *verbs = self.words
        plain = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
        printed = io.StringIO()
        with patch.dict(os.environ, plain), redirect_stdout(printed), suppress(SystemExit):
            import_module(scripts()[script]).main([*verbs, "--help"])
        return printed.getvalue()


class _ParserFound(BaseException):
    """Carries a parser out of the stage that made it; no `except Exception` of the stage catches it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def scripts() -> dict[str, str]:
    """Console scripts of this platform: name → module."""
    found = {one.name: one.module for one in entry_points(group="console_scripts") if one.value.startswith("deftunes_")}
    return dict(sorted(found.items()))


def commands() -> Iterator[Command]:
    """All commands, each before its verbs. `kubectl-deftunes` is `deftunes` under another name: only its own line."""
    for script, module_name in scripts().items():
        module = import_module(module_name)
        if script.startswith("kubectl-"):
            yield Command((script,), ())
        elif hasattr(module, "app"):
            import typer.main

            yield from _of_click((script,), typer.main.get_command(module.app))
        else:
            yield from _of_argparse((script,), _parser_of(module))


def _parser_of(module: Any) -> argparse.ArgumentParser:
    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        raise _ParserFound(parser)

    with patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            module.main([])
        except _ParserFound as found:
            return found.parser
    raise AssertionError(f"{module.__name__}.main parses no arguments")


def _of_argparse(words: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[Command]:
    verbs: dict[str, argparse.ArgumentParser] = {}
    arguments: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            verbs.update(action.choices)
        elif not isinstance(action, argparse._HelpAction):
            metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
            arguments += _with_choices(action.option_strings or [metavar], action.choices if not action.metavar else ())
    yield Command(words, tuple(arguments))
    for verb, below in verbs.items():
        yield from _of_argparse((*words, verb), below)


def _of_click(words: tuple[str, ...], command: Any) -> Iterator[Command]:
    arguments: list[str] = []
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        names = (
            [*parameter.opts, *parameter.secondary_opts] if is_option else [parameter.metavar or parameter.name.upper()]
        )
        kind = getattr(parameter, "type_descriptor", None)
        annotation = getattr(kind, "annotation", None)
        arguments += _with_choices(names, annotation if isinstance(annotation, type(Enum)) else ())
    yield Command(words, tuple(arguments))
    for verb, below in getattr(command, "commands", {}).items():
        yield from _of_click((*words, verb), below)


def _with_choices(names: Sequence[str], choices: Any) -> list[str]:
    return [*names, *(f"{names[-1]}={getattr(choice, 'value', choice)}" for choice in choices or ())]
