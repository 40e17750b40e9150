"""Foreign text on a terminal: song titles, error texts, names of files, lines of a pod's log."""

from __future__ import annotations

from rich.markup import escape

from deftunes_contract.redaction import printable, redact


def plain(text: object) -> str:
    """Without secrets and without characters that act on a terminal; for prints without markup. Lines stay lines."""
    return printable(redact(str(text)), keep="\n\t")


def in_markup(text: object) -> str:
    """The same inside of Rich markup, in which `[red]` is then five letters."""
    return escape(plain(text))
