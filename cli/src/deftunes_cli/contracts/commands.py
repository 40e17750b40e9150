"""`deftunes new entity`: parses or asks, writes the files, says what comes next.

deftunes new entity payments --server ledger --kind http --place payments --key id --time paid_at --amount amount
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deftunes_cli.contracts.new_entity import Auth, Kind, NewEntity, NewField, next_steps, write_entity
from deftunes_cli.terminal import plain
from deftunes_contract.entity import Role
from deftunes_contract.errors import UsageError

new = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Write the files of something new.",
)


@new.callback()
def _group() -> None:
    """Keeps `entity` a word of its own: a group of one command would swallow it."""


@new.command(
    epilog="Example: deftunes new entity payments --server ledger --kind http --place payments --key payment_id "
    "--time paid_at --amount amount --field method --param since={start} --param until={end} --data-selector data "
    "--auth bearer --folder contracts"
)
def entity(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the entity and of its table.")] = "",
    server: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the source; its settings are named after it.")
    ] = "",
    kind: Annotated[Kind | None, typer.Option(help="What is read.")] = None,
    place: Annotated[str, typer.Option(metavar="PLACE", help="Path below the server's URL, or schema.table.")] = "",
    key: Annotated[str, typer.Option(metavar="FIELD", help="Field that names a record.")] = "",
    time: Annotated[
        str, typer.Option(metavar="FIELD", help="Field with the moment of the event; facts have one.")
    ] = "",
    amount: Annotated[str, typer.Option(metavar="FIELD", help="Field with the money; facts have one.")] = "",
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME:TYPE", help="A further field; repeatable. The type defaults to string."),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=TEXT", help="Query parameter, e.g. since={start}; repeatable."),
    ] = None,
    data_selector: Annotated[
        str, typer.Option(metavar="PATH", help="Where the records stand in a reply; default: the reply is the list.")
    ] = "",
    auth: Annotated[Auth, typer.Option(help="How an HTTP source knows who asks.")] = Auth.NONE,
    pipeline: Annotated[str, typer.Option(metavar="NAME", help="Pipeline; default: the entity's name.")] = "",
    role: Annotated[Role, typer.Option(help="What it is in the star schema.")] = Role.FACT,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the files are written.")] = Path("contracts"),
) -> None:
    """Write the contract and the first dbt model of a new entity; what is not given is asked for on a terminal."""
    name = _given(name, "NAME", "Name of the entity, e.g. payments")
    asked = NewEntity(
        name=name,
        server=_given(server, "--server", "Name of the source, e.g. ledger"),
        kind=kind or _kind(_given("", "--kind", f"What is read ({' or '.join(Kind)})")),
        place=_given(place, "--place", "Path below the server's URL, or schema.table"),
        key=_given(key, "--key", "Field that names a record"),
        time=_given(time, "--time", "Field with the moment of the event") if role is Role.FACT else time,
        amount=_given(amount, "--amount", "Field with the money") if role is Role.FACT else amount,
        pipeline=pipeline or name,
        role=role,
        fields=tuple(NewField.parse(text) for text in fields or ()),
        params=tuple(params or ()),
        data_selector=data_selector,
        auth=auth,
    )
    print(plain(next_steps(asked, write_entity(asked, folder))))  # noqa: T201  # the result itself


def _given(value: str, flag: str, question: str) -> str:
    """The value, or the answer of the person at the terminal. Raises UsageError without either."""
    if value:
        return value
    if not sys.stdin.isatty():
        raise UsageError(f"expected {flag}, found none; see deftunes new entity --help")
    answer: str = typer.prompt(question)
    return answer.strip()


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise UsageError(f"--kind: expected {' or '.join(Kind)}, found {text!r}") from None
