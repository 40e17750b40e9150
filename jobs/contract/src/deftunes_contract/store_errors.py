"""What a store answers when it does not do what it was called for: one family of errors, made in this one place.

Every member is a stage's error too, so a fault that nobody translates still ends with the right exit code: 2 when
rights, credentials or the address are wrong, 75 when the same call may succeed later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deftunes_contract.errors import RetryableError, StageError, UsageError

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError


class StoreError(StageError):
    """A folder, S3 or another service of AWS did not do what it was called for. The message names the place.

    advice: what to do next, for `in_context`.
    """

    advice = "run the same command again"


class ObjectNotFound(StoreError, RetryableError):
    """There is no object (or table) of that name."""


class StoreDenied(StoreError, UsageError):
    """Rights, credentials or the address are wrong: the same call would fail again."""

    advice = "correct the address, the credentials or the rights"


class StoreConflict(StoreError, RetryableError):
    """The object is not the one that the caller had read: somebody else wrote it meanwhile."""


class StoreUnavailable(StoreError, RetryableError):
    """Time-outs, full disks, errors of the service: the same call may succeed later."""


_NOT_FOUND = frozenset({"NoSuchKey", "EntityNotFoundException"})
_CONFLICT = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_DENIED = frozenset({
    "403", "404", "AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AuthorizationHeaderMalformed",
    "ExpiredToken", "InvalidAccessKeyId", "InvalidBucketName", "InvalidClientTokenId", "NoSuchBucket",
    "PermanentRedirect", "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip


@contextmanager
def os_errors(place: str) -> Iterator[None]:
    """Translate what the file system raises. A missing file is StoreDenied: whoever expects one catches it first."""
    try:
        yield
    except OSError as error:
        wrong = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError | PermissionError)
        raise (StoreDenied if wrong else StoreUnavailable)(f"{place}: {error}") from error


@contextmanager
def aws_errors(place: str) -> Iterator[None]:
    """Translate what a client of AWS raises; `place` is an address or a table's name, for the message."""
    # only here, where a client was made already: half a second of import
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _by_code(error.response.get("Error", {}).get("Code", ""))(f"{place}: {error}") from error
    except BotoCoreError as error:
        raise (StoreDenied if _is_setting(error) else StoreUnavailable)(f"{place}: {error}") from error
    except Boto3Error as error:  # an upload in parts: the service's answer is what it was raised from
        cause = error.__context__
        code = cause.response.get("Error", {}).get("Code", "") if isinstance(cause, ClientError) else ""
        raise _by_code(code)(f"{place}: {error}") from error


def _by_code(code: str) -> type[StoreError]:
    """The error for a code of AWS's answer (S3 and Glue API references, "Error responses")."""
    for codes, kind in ((_NOT_FOUND, ObjectNotFound), (_CONFLICT, StoreConflict), (_DENIED, StoreDenied)):
        if code in codes:
            return kind
    return StoreUnavailable


def _is_setting(error: BotoCoreError) -> bool:
    """Whether the environment is at fault, and not the network."""
    from botocore.exceptions import NoCredentialsError, NoRegionError, ParamValidationError, PartialCredentialsError

    return isinstance(error, NoCredentialsError | NoRegionError | ParamValidationError | PartialCredentialsError)


@contextmanager
def in_context(expected: str, state: str) -> Iterator[None]:
    """Let a StoreError say what was expected, how things are now, and what to do.

    The message becomes "expected {expected}, found {error}; {state}: {advice}".
    """
    try:
        yield
    except StoreError as error:
        raise type(error)(f"expected {expected}, found {error}; {state}: {error.advice}") from error
