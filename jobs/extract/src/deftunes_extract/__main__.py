"""Extract: lands the records of some entities for one month, with a receipt.

HTTP APIs · PostgreSQL databases ─► landing_zone/<entity>/ingest_on=<end>/part-… ─► _receipt.json (last)

What is read, and from which kind of server, is data: the contracts' `endpoint` and `relation`. What protects the
output: objects are named by their content, guards refuse an empty or shrunken delivery, and the receipt replaces the
earlier one in one atomic put; a failure before that leaves the earlier delivery as it was.

Alone:
    DEFTUNES_LAKE=/tmp/lake DEFTUNES_API_URL=http://localhost:8000 \\
        deftunes-extract users sessions --start 2020-01-01 --end 2020-02-01
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from deftunes_contract.allowances import GUARDS, Guard, add_allowances, allowances_of
from deftunes_contract.http_source import HttpSource
from deftunes_contract.object_store import open_store
from deftunes_contract.provisional import add_partial, running, utc_now
from deftunes_contract.receipt import Receipt
from deftunes_contract.registry import registry
from deftunes_contract.retry import Deadline, RetryPolicy
from deftunes_contract.stage_cli import (
    add_entities,
    add_interval,
    interval_of,
    new_parser,
    run_console,
    run_id_of,
    run_stage,
)
from deftunes_extract.delivery import ExtractRequest, land
from deftunes_extract.postgres_settings import PostgresServerSettings
from deftunes_extract.settings import ExtractSettings, ServerSettings, settings_for
from deftunes_extract.source import Source, SourceError

_EXAMPLES = """\
  deftunes-extract users sessions --start 2020-01-01 --end 2020-02-01
  deftunes-extract songs --start 2020-01-01 --end 2020-02-01 --allow-shrink songs
"""


def run(argv: Sequence[str]) -> str:
    """Deliver the entities one after the other; one sentence about all. Raises StageError."""
    parser = new_parser("deftunes-extract", "Land one month of the shop's data, with a receipt.", _EXAMPLES)
    add_entities(parser)
    add_interval(parser)
    add_allowances(parser, *GUARDS["extract"])
    add_partial(parser)
    asked = parser.parse_args(argv)
    entities = tuple(dict.fromkeys(asked.entities))
    interval, run_id = interval_of(asked), run_id_of(asked)
    allowances = allowances_of(asked, entities, [interval])
    partial = bool(running([interval], utc_now(), asked.partial))
    requests = [ExtractRequest(registry().entity(e), interval, run_id, allowances, partial) for e in entities]
    settings, servers = settings_for([request.entity for request in requests])
    store = open_store(settings.lake)
    deadline = Deadline(settings.deadline, "DEFTUNES_EXTRACT_DEADLINE")
    retries = RetryPolicy(settings.attempts, (SourceError,), deadline=deadline)
    sentences = []
    for request in requests:
        with _open_source(request, servers[request.entity.server], settings, retries) as source:
            sentences.append(_sentence(land(request, source, store, settings, retries), request))
        structlog.get_logger("extract").info(f"delivered {sentences[-1]}", source=request.entity.server)
    return f"delivered {'; '.join(sentences)} to {settings.lake_root}"


@contextmanager
def _open_source(
    request: ExtractRequest, server: ServerSettings, settings: ExtractSettings, retries: RetryPolicy
) -> Iterator[Source]:
    """The source of a request, by the kind of its server; a client that is made for it is closed afterwards."""
    entity = request.entity
    if isinstance(server, PostgresServerSettings):
        from deftunes_extract.postgres import PostgresReader

        yield PostgresReader(server, entity, request.interval)
        return
    from deftunes_extract.http_api import HttpApiSource
    from deftunes_extract.http_client import open_client

    assert isinstance(entity.source, HttpSource)
    with open_client(entity.source, server) as client:
        yield HttpApiSource(client, entity, request.interval, retries, _may_be_empty(request), settings.scratch)


def _may_be_empty(request: ExtractRequest) -> bool:
    return request.allowances.allows(Guard.EMPTY, request.entity.name, request.interval)


def _sentence(made: Receipt, request: ExtractRequest) -> str:
    stored = sum(o.bytes for o in made.objects) / 1e6
    units = f" ({made.units:,} rows)" if made.units != made.records else ""
    money = f", amount {made.amount:,}" if made.amount is not None else ""
    noticed = f", noticed: {'; '.join(made.warnings)}" if made.warnings else ""
    size = f"{len(made.objects)} object{'s' if len(made.objects) != 1 else ''} ({stored:,.1f} MB)"
    so_far = ", provisional: the month is not over" if made.partial else ""
    return f"{request}: {made.records:,} records{units}{money} in {size}{so_far}{noticed}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; its exit code."""
    return run_stage("extract", run, argv)


def console() -> None:
    """The console script and the container's entry point."""
    run_console(main)


if __name__ == "__main__":
    console()
