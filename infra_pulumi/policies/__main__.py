"""The policy pack: registers every rule of `rules` with the engine, each as one that stops the update."""

from __future__ import annotations

from pulumi_policy import EnforcementLevel, PolicyPack
from rules import ALL
from rules.adapter import policy

PolicyPack("deftunes", [policy(rule) for rule in ALL], enforcement_level=EnforcementLevel.MANDATORY)
