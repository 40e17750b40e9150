"""The world DeFtunes sells in: a simulated API and a real songs database, seeded, with faults on demand."""

from .config import WorldConfig
from .errors import ConfigError, DatabaseUnavailable, WorldUnavailable
from .expected_totals import MonthTruth, truth
from .world import World, start_world

__all__ = [
    "ConfigError",
    "DatabaseUnavailable",
    "MonthTruth",
    "World",
    "WorldConfig",
    "WorldUnavailable",
    "start_world",
    "truth",
]
