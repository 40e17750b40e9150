"""The one place where AWS clients are made, and where the environment that they read is checked.

botocore reads some thirty `AWS_*` variables and reports a wrong one as an exception of any kind, some at the first
request only. Here a wrong variable ends as UsageError that names it, before the first request to AWS.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deftunes_contract.errors import UsageError
from deftunes_contract.settings import stripped

if TYPE_CHECKING:
    import boto3

_FILES = ("AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
"""Variables that name a file, which botocore opens at its first request."""
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")


def aws_session() -> boto3.Session:
    """A session with the environment's credentials and region. Raises UsageError that names a wrong variable."""
    import boto3  # only where AWS is used: half a second of import
    from botocore.exceptions import BotoCoreError

    check_environment(os.environ)
    try:
        # botocore itself does not read AWS_REGION
        return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    except (BotoCoreError, ValueError) as error:
        raise _wrong(error) from None


def aws_client(service: str, **retries: Any) -> Any:
    """A client of one service; `retries` as botocore's Config takes them. Raises UsageError that names a variable."""
    session = aws_session()
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    try:
        return session.client(service, config=Config(retries=retries))  # type: ignore[arg-type,call-overload]  # any
    except (BotoCoreError, ValueError, OSError) as error:
        raise _wrong(error) from None


def check_environment(environment: MutableMapping[str, str]) -> None:
    """Strip every `AWS_*` variable as all settings are stripped, and check those that AWS's clients read late.

    The variables are changed in place, because Python's and Java's clients read them there. Raises UsageError.
    """
    for name in [name for name in environment if name.startswith("AWS_")]:
        environment[name] = stripped(environment[name])
    for name in _FILES:
        if (path := environment.get(name)) and not Path(path).is_file():
            raise UsageError(f"{name}: expected a file at {path}, found none; correct or unset the variable")
    attempts = environment.get("AWS_MAX_ATTEMPTS", "1")
    if not attempts.isdecimal() or int(attempts) < 1:
        raise UsageError(f"AWS_MAX_ATTEMPTS: expected a number of at least 1, found {attempts!r}; correct or unset it")


def _wrong(error: Exception) -> UsageError:
    """The fault with the variable whose value it quotes, or with all that are set and hold no secret."""
    own = {name: value for name, value in os.environ.items() if name.startswith("AWS_") and value}
    quoted = sorted(name for name, value in own.items() if value in str(error))
    open_ones = sorted(name for name in own if not any(word in name for word in _SECRET))
    names = ", ".join(quoted or open_ones) or "the files of ~/.aws"
    return UsageError(f"{names}: expected an environment that AWS's client takes, found: {error}; correct or unset it")
