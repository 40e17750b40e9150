"""Proof that the figures agree from the source to the serving star, and what each table holds."""

from deftunes_cli.verify.model import Verification
from deftunes_cli.verify.rendering import render
from deftunes_cli.verify.verification import verify

__all__ = ["Verification", "render", "verify"]
