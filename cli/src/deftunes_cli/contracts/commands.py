"""`deftunes contract show|check|diff` and `deftunes new entity`: parses or asks, calls one function, prints the result.

deftunes contract check contracts
deftunes contract show sessions
deftunes contract diff contracts
deftunes new entity orders --server billing --kind http --place orders --key id --time ordered_at --amount amount
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deftunes_cli.contracts.effective import check_contracts, differences, effective_contract, summary
from deftunes_cli.contracts.new_entity import Auth, Kind, NewEntity, NewField, next_steps, write_entity
from deftunes_cli.terminal import plain
from deftunes_contract.contract_diff import as_json as to_json
from deftunes_contract.contract_diff import as_text
from deftunes_contract.contract_files import SETTING
from deftunes_contract.entity import Role
from deftunes_contract.errors import ExitCode, UsageError

contract = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Contracts as they take effect: packaged ones, and those of DEFTUNES_CONTRACTS. No source is asked.",
)
new = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Write the files of something new.",
)


Json = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
Place = Annotated[
    str, typer.Argument(metavar="PLACE", help="Folder or s3://bucket/prefix; default: DEFTUNES_CONTRACTS.")
]


@contract.command(epilog="Examples: deftunes contract show sessions · deftunes contract show orders contracts --json")
def show(
    name: Annotated[str, typer.Argument(metavar="ENTITY", help="Name of an entity, or quarantine.")],
    place: Place = "",
    as_json: Json = False,
) -> None:
    """The contract of an entity with its overlay applied, where it comes from, and its digest."""
    found = effective_contract(name, place or os.environ.get(SETTING, ""))
    _write(found.to_json() if as_json else found.to_yaml())


@contract.command(epilog="Examples: deftunes contract check contracts · deftunes contract check --json")
def check(place: Place = "", as_json: Json = False) -> None:
    """Every fault of the contracts with its file and line; ends with 2 when there is one."""
    found, problems = check_contracts(place or os.environ.get(SETTING, ""))
    if as_json:
        faults = [{"where": problem.where, "message": problem.message} for problem in problems]
        _write(json.dumps({"valid": found is not None, "problems": faults}, indent=2, ensure_ascii=False))
    elif found is not None:
        _write(f"{summary(found)}\n{len(found.entities)} contracts without a fault")
    else:
        _write("\n".join(map(str, problems)))
    if found is None:
        raise typer.Exit(ExitCode.USAGE)


@contract.command(
    epilog="Examples: deftunes contract diff contracts · deftunes contract diff contracts new-contracts --json"
)
def diff(
    before: Annotated[
        str,
        typer.Argument(metavar="BEFORE", help="Folder or s3://bucket/prefix, compared with the packaged contracts."),
    ] = "",
    after: Annotated[str, typer.Argument(metavar="AFTER", help="With it, BEFORE is compared with this place.")] = "",
    as_json: Json = False,
) -> None:
    """What changes, and whether it is compatible, restating or breaking; no source or lake is read.

    One place is compared with the packaged contracts; without any, it is DEFTUNES_CONTRACTS.
    """
    old, new = (before, after) if after else ("", before or os.environ.get(SETTING, ""))
    found = differences(old, new)
    _write(to_json(found) if as_json else as_text(found))


def _write(text: str) -> None:
    print(plain(text))  # noqa: T201  # the result itself, for pipes


@new.callback()
def _group() -> None:
    """Keeps `entity` a word of its own: a group of one command would swallow it."""


@new.command(
    epilog="Example: deftunes new entity orders --server billing --kind http --place orders --key order_id "
    "--time ordered_at --amount amount --field method --param since={start} --param until={end} --data-selector data "
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
    name = _given(name, "NAME", "Name of the entity, e.g. orders")
    asked = NewEntity(
        name=name,
        server=_given(server, "--server", "Name of the source, e.g. billing"),
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
    _write(next_steps(asked, write_entity(asked, folder)))


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
