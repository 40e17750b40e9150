"""Users: who signs up, where they live, since when. The records of ``GET /users``.

(seed, number of the user) ─► one JSON object as bytes. Users are numbered in the order they sign up, so
"everyone who was a user at that moment" is a range of numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial

from . import names
from .calendar import Calendar, Span, walk
from .config import WorldConfig
from .places import PLACES
from .seeded_draws import UuidFactory, domain_salt, draw

_SCATTER_E5 = 6_000  # people live within about 6 km of the centre


_ENCODER = json.JSONEncoder(ensure_ascii=False)  # json.dumps would build one for every text


def as_json(value: str) -> bytes:
    """Serialise text the way the API does: UTF-8, only what JSON demands is escaped."""
    return _ENCODER.encode(value).encode()


class People:
    """The users of one world."""

    def __init__(self, config: WorldConfig, calendar: Calendar) -> None:
        """Prepare the tables; no user is generated yet."""
        self._calendar = calendar
        self._salt = domain_salt(config.seed, "users")
        self._uuids = UuidFactory(config.seed, "user")
        self._first = {region: [as_json(name) for name in some] for region, some in names.FIRST_NAMES.items()}
        self._last = {region: [as_json(name) for name in some] for region, some in names.LAST_NAMES.items()}
        self._odd = [(as_json(first), as_json(last)) for first, last in names.ODD_PEOPLE]
        self._tails = [
            b"%b,%b,%b" % (as_json(place.name), as_json(place.country_code), as_json(place.timezone))
            for place in PLACES
        ]
        # Every place as often as its weight says: a uniform draw from here is a weighted draw of a place.
        self._place_of = [position for position, place in enumerate(PLACES) for _ in range(place.weight)]

    def user_id(self, number: int) -> bytes:
        """Return the UUID of user ``number`` (counted over the whole world)."""
        return self._uuids.text(number)

    def records(self, spans: Iterable[Span]) -> Iterator[bytes]:
        """Yield the JSON records of the users who signed up in the spans, earliest first."""
        for span in spans:
            before = self._calendar.people_before[span.number]
            timetable = self._calendar.people_timetable(span.number)
            draw_user = partial(self._draw, before)
            for moment in walk(timetable, span.first_cell, span.stop_cell, draw_user):
                yield self._record(span.number, before + moment.number, moment.number, moment.stamp, moment.words)

    def _draw(self, before: int, position: int) -> tuple[int, ...]:
        return draw(self._salt, before + position)

    def _odd_names(self, month: int, position: int) -> tuple[bytes, bytes] | None:
        """Return the awkward names of all the first users, or of the first two of a later month."""
        if position >= (len(self._odd) if month == self._calendar.opening else 2):
            return None
        return self._odd[(2 * month + position) % len(self._odd)]

    def _record(self, month: int, number: int, position: int, since: bytes, words: tuple[int, ...]) -> bytes:
        choice = self._place_of[words[1] % len(self._place_of)]
        place = PLACES[choice]
        odd = self._odd_names(month, position)
        if odd is not None:
            first, last = odd
        else:
            firsts, lasts = self._first[place.region], self._last[place.region]
            first, last = firsts[words[2] % len(firsts)], lasts[words[3] % len(lasts)]
        latitude = place.latitude_e5 + words[4] % (2 * _SCATTER_E5) - _SCATTER_E5
        longitude = place.longitude_e5 + words[5] % (2 * _SCATTER_E5) - _SCATTER_E5
        return (
            b'{"user_id":"%b","user_name":%b,"user_lastname":%b,"user_location":["%.5f","%.5f",%b],"user_since":"%b"}'
            % (
                self._uuids.text(number),
                first,
                last,
                latitude / 100_000,
                longitude / 100_000,
                self._tails[choice],
                since,
            )
        )
