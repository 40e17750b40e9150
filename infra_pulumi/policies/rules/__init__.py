"""What no stack may do, one module by noun; every rule is a pure function of what it is shown.

`ALL` is the pack. A rule that is not in it is not enforced: tests/infra/test_policies.py looks for forgotten ones.
"""

from __future__ import annotations

from . import buckets, encryption, identities, network, protection, tags
from .resource_view import Rule

ALL: tuple[Rule, ...] = (
    *buckets.RULES,
    *identities.RULES,
    *encryption.RULES,
    *network.RULES,
    *protection.RULES,
    *tags.RULES,
)
