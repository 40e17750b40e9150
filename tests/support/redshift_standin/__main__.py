"""The stand-in by hand: `python -m redshift_standin --port 5439 --data FOLDER`, until SIGTERM or Ctrl-C.

The folder must be empty or absent; what the server wrote into it is gone when it stops. REDSHIFT_PASSWORD is the
password of its accounts, `deftunes_dbt` and `analyst`.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from redshift_standin.server import standin


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m redshift_standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, default=5439, help="port, 0 for a free one; default: 5439")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="an empty folder for its data")
    arguments = parser.parse_args(argv)
    if not (password := os.environ.get("REDSHIFT_PASSWORD", "")):
        parser.error("expected the password of its accounts in REDSHIFT_PASSWORD, found none")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    arguments.data.mkdir(parents=True, exist_ok=True)
    with standin(arguments.data, arguments.host, arguments.port, password) as redshift:
        where = f"{redshift.host}:{redshift.port} database {redshift.database} user {redshift.user}"
        sys.stdout.write(f"ready: {where}, password as in REDSHIFT_PASSWORD\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
