"""What Airflow needs before it starts: tables, the serving pool, a first user. Safe to run again at any time.

Settings: DEFTUNES_AIRFLOW_ADMIN_USER, _EMAIL and _PASSWORD_FILE; without a password file no user is made. The password
is read from a file, because `airflow users create` would take it as an argument, which any process list shows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airflow.cli.cli_parser import get_parser


def call(*arguments: str) -> None:
    """One command of `airflow`, in this process: each would otherwise import Airflow anew, for some seconds."""
    parsed = get_parser().parse_args(list(arguments))
    parsed.func(parsed)


def first_user(name: str, email: str, password_file: Path) -> None:
    """An administrator. One that is there keeps the password, which people may have changed."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        security = builder.sm
        if security.find_user(name):
            print(f"user {name} is there")
            return
        password = password_file.read_text(encoding="utf-8").strip()
        if not password:
            sys.exit(
                f"expected a password in {password_file}, found nothing; put one under admin-password of the Secret"
            )
        if not security.add_user(name, name, "", email, security.find_role("Admin"), password):
            sys.exit(f"could not make the user {name}; the lines above say why")
        print(f"user {name} made")


def main() -> None:
    """Wait for the database, then prepare it."""
    call("db", "check", "--retry", "60", "--retry-delay", "2")
    call("db", "migrate")
    call("pools", "set", "deftunes_serving", "1", "dbt builds, one at a time", "--include-deferred")
    if file := os.environ.get("DEFTUNES_AIRFLOW_ADMIN_PASSWORD_FILE"):
        first_user(os.environ["DEFTUNES_AIRFLOW_ADMIN_USER"], os.environ["DEFTUNES_AIRFLOW_ADMIN_EMAIL"], Path(file))


if __name__ == "__main__":
    main()
