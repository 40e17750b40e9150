"""Stage transform: landing zone → Iceberg tables, each interval on the branch of its run, bad rows in quarantine.

Data flow: landing_zone/…/ingest_on=D/ + receipt → lake.deftunes_transform.<entity>, branch run_<run id>_<YYYYMMDD>, and
lake.deftunes_transform.quarantine. What protects its output: nobody reads that branch until a gate has validated it and
deftunes-lake has published it; the same arguments give the same branch, twice or after a kill. Run alone:
`deftunes-transform users sessions --start 2020-01-01 --end 2020-02-01`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from deftunes_contract.object_store import open_store
from deftunes_contract.registry import load
from deftunes_contract.settings import from_environment
from deftunes_contract.stage_cli import (
    add_entities,
    add_interval,
    interval_of,
    new_parser,
    run_console,
    run_id_of,
    run_stage,
)
from deftunes_lake.session import open_session, session_of_process
from deftunes_lake.tables import ensure_tables
from deftunes_transform.run import log_result, transform
from deftunes_transform.settings import TransformSettings

STAGE = "deftunes-transform"
_EXAMPLES = """\
  deftunes-transform users sessions --start 2020-01-01 --end 2020-02-01
  deftunes-transform songs --start 2020-01-01 --end 2020-02-01 --run-id manual-2"""


def run(argv: Sequence[str]) -> str:
    """Stage the entities named in argv, one after the other; one sentence each. Raises StageError."""
    parser = new_parser(STAGE, "Landed records to Iceberg, on the run's own branch; bad rows to quarantine.", _EXAMPLES)
    add_entities(parser)
    add_interval(parser)
    arguments = parser.parse_args(argv)
    interval, run_id = interval_of(arguments), run_id_of(arguments)
    entities = [load(name) for name in dict.fromkeys(arguments.entities)]
    settings = from_environment(TransformSettings)
    store = open_store(settings.lake)
    spark = open_session(settings, STAGE)
    ensure_tables(spark, settings)
    sentences = []
    for entity in entities:
        began = time.monotonic()
        result = transform(spark, settings, store, entity, interval, run_id)
        log_result(result, time.monotonic() - began)
        sentences.append(str(result))
    return "; ".join(sentences)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; its exit code."""
    return run_stage(STAGE, run, argv)


def console() -> None:
    """The console script and the container's entry point."""
    with session_of_process():
        run_console(main)


if __name__ == "__main__":
    console()
