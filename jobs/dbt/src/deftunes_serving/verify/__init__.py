"""Proof that the figures agree from the source to the serving tables, and what each table holds."""

from deftunes_serving.verify.model import Verification
from deftunes_serving.verify.verification import verify

__all__ = ["Verification", "verify"]
