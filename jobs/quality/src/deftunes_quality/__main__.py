"""deftunes-quality: the gate between a run's branch and the public.

Data flow: Iceberg branch of the run, partition of the interval → Great Expectations, every rule of the contract →
`quality/<entity>/ingest_on=D/run=R/` (result.json, data_docs/) + exit code. Writes no table.
What protects the output: see gate.py. Run alone: `deftunes-quality users sessions --start 2020-01-01
--end 2020-02-01`, after deftunes-transform with the same arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

from deftunes_contract.allowances import GUARDS, add_allowances, allowances_of
from deftunes_contract.object_store import open_store
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
from deftunes_lake.settings import SparkSettings
from deftunes_quality.gate import GateContext, run_gates

STAGE = "deftunes-quality"
EXAMPLES = """\
  deftunes-quality users sessions --start 2020-01-01 --end 2020-02-01 --run-id api-2020-01
  deftunes-quality songs --start 2020-01-01 --end 2020-02-01
  deftunes-quality sessions --start 2020-01-01 --end 2020-02-01 --allow-shrink sessions:2020-01

exit codes: 0 all gates open, 65 a gate closed, 75 nothing staged yet, 2 wrong call, 1 a bug"""


def run(argv: Sequence[str]) -> str:
    """Validate what a run staged. Raises StageError."""
    parser = new_parser(STAGE, "Validate what a run staged of one month; no table is written.", EXAMPLES)
    add_entities(parser)
    add_interval(parser)
    add_allowances(parser, *GUARDS["quality"])
    arguments = parser.parse_args(argv)
    interval, run_id = interval_of(arguments), run_id_of(arguments)
    entities = tuple(dict.fromkeys(arguments.entities))
    allowances = allowances_of(arguments, entities, [interval])
    settings = from_environment(SparkSettings)
    gate = GateContext(open_session(settings, STAGE), settings, open_store(settings.lake), allowances)
    return run_gates(gate, entities, interval, run_id)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; returns the exit code."""
    return run_stage(STAGE, run, argv)


def console() -> None:
    """The console script and the container's entry point."""
    with session_of_process():
        run_console(main)


if __name__ == "__main__":
    console()
