"""Names that become a part of a path, of a branch or of a label: one rule of what they may look like.

Whatever comes from outside (a `--run-id`, a receipt, a gate result) passes through here before it names a place.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from deftunes_contract.errors import DataRejected, UsageError

LONGEST_RUN_ID = 80
"""Characters of a run id: the branch and the folder that it names stay far below the 255 of a file's name."""
_HASH = 8
"""Hexadecimal digits that tell apart ids which clean to the same text: two of a thousand meet once in ten thousand."""
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}"

PathPart = Annotated[str, StringConstraints(pattern=f"^{_PART}$")]
"""One part of a path: no separator, no leading dot or underscore (those are hidden files and the receipt)."""


def clean_run_id(text: str, longest: int = LONGEST_RUN_ID) -> str:
    """A run id in the letters that branches, paths and labels allow: a-z, 0-9 and dashes, at most `longest`.

    An id that is clean stays as it is, so cleaning twice is cleaning once. Any other ends with a short hash of the
    whole text, because `a_b` and `a-b`, `A` and `a`, or two long ids with one beginning are different runs. Raises
    UsageError when nothing is left.
    """
    cleaned = re.sub(r"[^a-z0-9-]+", "-", text.lower()).strip("-")
    if not cleaned:
        raise UsageError(f"--run-id: expected letters or digits, found {text!r}")
    if cleaned == text and len(text) <= longest:
        return text
    # surrogates stand for bytes of argv that are no UTF-8; they too make another id
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return f"{cleaned[: longest - _HASH - 1].rstrip('-')}-{digest}"


def path_part(text: str, what: str) -> str:
    """The text, when it may be one part of a path. Raises DataRejected, with `what` it is."""
    if not re.fullmatch(_PART, text):
        raise DataRejected(
            f"{what}: expected letters, digits, dots, dashes and underscores, found {text!r}, which is no name of a "
            "file or folder; nothing was read or written there"
        )
    return text


def faults_of(error: ValidationError) -> str:
    """What is wrong with a file that was read back, without its values: `objects.0.name: String should match …`."""
    faults = error.errors(include_input=False, include_url=False)
    said = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in faults[:3])
    return said if len(faults) <= 3 else f"{said}; and {len(faults) - 3} more"
