"""What one world is made of: a frozen, validated description, nothing read from the environment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .calendar import Calendar, Month
from .errors import ConfigError
from .faults import Fault

MIN_SCALE = 100
MAX_SCALE = 200_000_000
MIN_SONGS = 200
MAX_SONGS = 26**5  # five letters of the track id tell songs apart
DEFAULT_SONGS_CAP = 1_000_000
MAX_MONTHS = 600
ITEMS_PER_SESSION = 5


@dataclass(frozen=True)
class WorldConfig:
    """Description of a world. Equal descriptions give equal bytes, on any machine.

    seed: any integer. scale: session items a month, approximately. songs: size of the generated catalogue
    (None = a quarter of the scale, 200 … 1,000,000). first_month, months: the time span. empty_months: no
    sign-up and no session. no_likes_months: no item liked. songs_csv: sell the songs of this file instead
    of generated ones. faults: rules in the grammar of `deftunes_simulator.faults`. plugins: Python files that add
    endpoints and tables (`deftunes_simulator.plugins`). api_port, songs_port: 0 = any free port. host: address that
    both listen on. Faults, ports and host do not influence the data.
    """

    seed: int = 42
    scale: int = 2000
    songs: int | None = None
    first_month: str = "2020-01"
    months: int = 36
    empty_months: tuple[str, ...] = ("2020-07",)
    no_likes_months: tuple[str, ...] = ("2020-03",)
    songs_csv: Path | None = None
    faults: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    api_port: int = 0
    songs_port: int = 0
    host: str = "127.0.0.1"

    def __post_init__(self) -> None:
        """Refuse impossible worlds, naming every problem at once."""
        problems = [
            *_outside("scale", self.scale, MIN_SCALE, MAX_SCALE),
            *_outside("months", self.months, 1, MAX_MONTHS),
            *_outside("api_port", self.api_port, 0, 65535),
            *_outside("songs_port", self.songs_port, 0, 65535),
        ]
        if self.songs is not None:
            problems += _outside("songs", self.songs, MIN_SONGS, MAX_SONGS)
        if self.songs is not None and self.songs_csv is not None:
            problems.append("songs and songs_csv exclude each other: the file says how many songs there are")
        if self.songs_csv is not None and not self.songs_csv.is_file():
            problems.append(f"songs_csv: expected a file, found nothing readable at {self.songs_csv}")
        problems += [f"plugins: expected a file, found none at {file}" for file in self.plugins if not file.is_file()]
        for text in (self.first_month, *self.empty_months, *self.no_likes_months):
            problems += _complaint(Month.parse, text)
        for text in self.faults:
            problems += _complaint(Fault.parse, text)
        if not problems and Month.parse(self.first_month).plus(self.months).year > 9990:
            problems.append(
                f"the world must end before the year 9990, found {self.months} months from {self.first_month}"
            )
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def song_count(self) -> int:
        """Size of the generated catalogue."""
        if self.songs is not None:
            return self.songs
        return min(max(MIN_SONGS, self.scale // 4), DEFAULT_SONGS_CAP)

    def calendar(self) -> Calendar:
        """Lay out the world's months."""
        return Calendar(
            seed=self.seed,
            first=Month.parse(self.first_month),
            months=self.months,
            empty=[Month.parse(text) for text in self.empty_months],
            people=max(10, self.scale // 50),
            sessions=max(20, self.scale // ITEMS_PER_SESSION),
        )

    def to_json(self) -> str:
        """Serialise for another process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> WorldConfig:
        """Read back what `to_json` wrote; raises ConfigError."""
        found: dict[str, Any] = json.loads(text)
        unknown = found.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"unknown world settings {sorted(unknown)}")
        for name in ("empty_months", "no_likes_months", "faults"):
            found[name] = tuple(found[name])
        found["plugins"] = tuple(map(Path, found["plugins"]))
        if found["songs_csv"] is not None:
            found["songs_csv"] = Path(found["songs_csv"])
        return cls(**found)


def _outside(name: str, value: int, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [f"{name}: expected {low:,} to {high:,}, found {value:,}"]


def _complaint(parse: Any, text: str) -> list[str]:
    try:
        parse(text)
    except ValueError as error:
        return [str(error)]
    return []
