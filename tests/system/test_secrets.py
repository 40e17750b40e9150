"""Every kind of secret through every command: none of them in any output, record, report or file."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import typer

from deftunes_cli.__main__ import app

SECRETS = {
    "dsn": "Dsn@pa/ss#w:0?rd%",
    "pgpassword": "pgPassw0rd-of-env",
    "api": "api/Pa@ss-w0rd",
    "proxy": "pr0xy:Pa@ss-word",
    "aws-secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "aws-session": "FwoGZXIvYXdzEBYaDHsession+token/1234==",
    "aws-id": "AKIAIOSFODNN7EXAMPLE",
    "redshift": "R3dshift-passw0rd",
    "airflow": "a1rflow-passw0rd",
    "bearer": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "signature": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "sas": "c2FzLXNpZ25hdHVyZS1vZi1henVyZQ",
}
INTERVAL = ("--start", "2020-01-01", "--end", "2020-02-01")
MONTH = ("--start", "2020-01-01", "--end", "2020-02-01", "--pipeline", "api")
CALLS: dict[tuple[str, ...], tuple[tuple[str, ...], ...]] = {
    ("deftunes", "demo"): ((),),  # refused: the home holds data that no demo made
    ("deftunes", "run"): (MONTH, ("--start", "2020-01-01", "--end", "2020-02-01", "--pipeline", "songs")),
    ("deftunes", "verify"): (("--json",), ()),
    ("deftunes", "status"): (("--json",), ()),
    ("deftunes", "rollback"): (("--month", "2020-01", "--pipeline", "api"),),
    ("deftunes", "values"): (("--stack", "none", "--program", "/nowhere"),),
    ("deftunes", "helm-values"): (("--stack", "none", "--program", "/nowhere"),),
    ("deftunes", "contract", "show"): (("users",),),
    ("deftunes", "contract", "check"): ((),),
    ("deftunes", "contract", "diff"): (("/nowhere",),),
    ("deftunes", "new", "entity"): (("orders",),),  # refused: most of it is missing, and this is no terminal
    ("deftunes", "simulate"): (("faults",),),
    ("deftunes", "job", "run"): (("extract", "users", *INTERVAL),),
    ("deftunes", "job", "list"): ((),),
    ("deftunes", "job", "logs"): (("none",),),
    ("deftunes", "job", "cancel"): (("none",),),
    ("deftunes", "airflow", "backfill"): (MONTH,),
    ("deftunes", "airflow", "trigger"): (MONTH,),
    ("deftunes", "airflow", "state"): ((),),
    ("kubectl-deftunes",): (("status",),),
    ("deftunes-extract",): (("users", *INTERVAL), ("songs", *INTERVAL), ("users", "--start", "x", "--end", "y")),
    ("deftunes-transform",): (("users", *INTERVAL),),
    ("deftunes-quality",): (("users", *INTERVAL),),
    ("deftunes-lake",): (("status", "--json"), ("publish", "users", *INTERVAL)),
    ("deftunes-verify",): (("users", *INTERVAL),),
    ("deftunes-dbt",): (("freshness",), ("build", *INTERVAL)),
    ("deftunes-simulator",): (
        ("faults",),
        ("load-songs", "--songs-dsn", "postgresql://reader@127.0.0.1:1/songs"),
        ("serve", "--songs-dsn", "postgresql://reader@127.0.0.1:1/songs"),
    ),
}  # fmt: skip


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Commands of a typer application that do something."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, below in command.commands.items():
        yield from leaves(below, (*path, name))


def test_no_command_is_left_out() -> None:
    scripts = {script.name for script in entry_points(group="console_scripts") if "deftunes" in script.name}
    assert scripts == {call[0] for call in CALLS}
    assert set(leaves(typer.main.get_command(app), ("deftunes",))) <= set(CALLS)


class Handler(BaseHTTPRequestHandler):
    """/good has a user; /moved is somewhere else, by signed URLs; everything else shows what it was sent."""

    def do_GET(self) -> None:
        code, headers, body = 401, {"Content-Type": "application/json"}, self._shown()
        if self.path.startswith("/moved"):
            code = 302
            headers["Location"] = (
                f"https://s3.example/o?X-Amz-Credential={SECRETS['aws-id']}%2F2020&X-Amz-Signature={SECRETS['signature']}"
                f"&sig={SECRETS['sas']}&token={quote(SECRETS['bearer'])}"
            )
        elif self.path.startswith("/good"):
            user = {"user_id": "0" * 36, "user_name": "a", "user_lastname": "b", "user_since": "2020-01-02T00:00:00"}
            code, body = 200, json.dumps([user | {"user_location": ["1", "2", "c", "AT", "UTC"]}]).encode()
        elif self.path.startswith("/busy"):
            code = 503
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body)), "X-Echo": body.decode()[:200]}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  # as http.server calls it

    def _shown(self) -> bytes:
        sent = dict(self.headers) | {"bearer": f"Bearer {SECRETS['bearer']}", "user": f"reader:{SECRETS['api']}"}
        return json.dumps(sent).encode()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


def environment(home: Path, server: str, way: str = "echo") -> dict[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("DEFTUNES_", "PG", "AWS_")) and not name.upper().endswith("_PROXY")
    }
    quoted = {name: quote(value, safe="") for name, value in SECRETS.items()}
    proxy = f"http://me:{quoted['proxy']}@127.0.0.1:1"
    return clean | {
        "DEFTUNES_HOME": str(home),
        "DEFTUNES_LAKE": str(home / "lake"),
        "DEFTUNES_API_URL": f"http://reader:{quoted['api']}@{server}/{way}",
        "DEFTUNES_SONGS_DSN": f"postgresql://reader:{quoted['dsn']}@127.0.0.1:1/songs",
        "DEFTUNES_AIRFLOW_URL": f"http://{server}",
        "DEFTUNES_AIRFLOW_PASSWORD": SECRETS["airflow"],
        "DEFTUNES_EXTRACT_ATTEMPTS": "2",
        "DEFTUNES_SPARK_SMALL": "true",
        "DEFTUNES_LOG_LEVEL": "DEBUG",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "ALL_PROXY": proxy,
        "NO_PROXY": "127.0.0.1",
        "PGPASSWORD": SECRETS["pgpassword"],
        "AWS_ACCESS_KEY_ID": SECRETS["aws-id"],
        "AWS_SECRET_ACCESS_KEY": SECRETS["aws-secret"],
        "AWS_SESSION_TOKEN": SECRETS["aws-session"],
        "REDSHIFT_PASSWORD": SECRETS["redshift"],
        "KUBECONFIG": "/nowhere",
    }


def forms(secret: str) -> set[str]:
    """How a secret may show: as it is, percent-encoded, in JSON, and as HTTP sends it."""
    sent = {base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("reader", "me", "admin")}
    return {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], *sent}


def found_in(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if any(form in text for form in forms(secret))]


def call(argv: tuple[str, ...], settings: dict[str, str]) -> tuple[tuple[str, ...], str]:
    script = str(Path(sys.executable).parent / argv[0])
    done = subprocess.run(
        [script, *argv[1:]], env=settings, capture_output=True, text=True, errors="replace", timeout=300, check=False
    )
    return argv, done.stdout + done.stderr


def test_no_secret_leaves_by_any_command(tmp_path: Path, server: str) -> None:
    home = tmp_path / "home"
    settings = environment(home, server)
    outputs = [
        call(("deftunes-extract", "users", *INTERVAL), environment(home, server, way))
        for way in ("good", "moved", "busy")
    ]
    assert "delivered users" in outputs[0][1]
    assert "X-Amz-Signature=***" in outputs[1][1]
    broken = settings | {"DEFTUNES_SONGS_DSN": f"postgresql://reader:{SECRETS['dsn']}@127.0.0.1:1/songs"}
    outputs.append(call(("deftunes-extract", "songs", *INTERVAL), broken))
    with ThreadPoolExecutor(2) as pool:
        asked = [(*command, *arguments) for command, ways in CALLS.items() for arguments in ways]
        outputs += pool.map(lambda argv: call(argv, settings), asked)
    for argv, said in outputs:
        assert found_in(said) == [], f"{' '.join(argv)}: {said}"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "_receipt.json" for path in files)
    assert any(path.parent.name == "runs" for path in files)
    for path in files:
        assert found_in(path.read_bytes().decode("utf-8", "replace")) == [], path
    # and nobody else of this machine reads them
    for path in (home, *home.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
