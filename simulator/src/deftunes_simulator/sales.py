"""Sessions: who bought which songs, when, for how much. The records of ``GET /sessions``.

(seed, month, number in the month) ─► one JSON object as bytes. The work per item is one lookup of the
ready-made text of its song and one random word, because a large reply is made of nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from . import names
from .calendar import Calendar, Moment, Month, Span, walk
from .config import WorldConfig
from .people import People, as_json
from .seeded_draws import WORD_MASK, UuidFactory, domain_salt, draw
from .songs import Catalogue

_MONTH_SHIFT = 40  # a month holds fewer than 2**40 sessions
_SHELF_SONGS = 100_000  # the best sellers kept as ready text: about 70 MB at most, whatever the catalogue's size
_LIKE_DAYS = 1460  # the original API reports likes up to years after the session
_LIKED_OF_32 = 11
_MINUTES = tuple(b"T%02d:%02d:" % divmod(minute, 60) for minute in range(1440))
_NOT_LIKED = b'false,"liked_since":null}'
_LIKE_STEP = 0xD1342543DE82EF95  # odd, so that multiplying is one to one

# Items a session: 4–6 nearly always, 5 on average.
_ITEM_COUNTS = (4,) * 20 + (5,) * 20 + (6,) * 20 + (1, 3, 7, 8)


def price_cents(number: int, salt: bytes, *, promoted: bool = False) -> int:
    """Return the price of a song in cents, 33 … 185; a promotion takes a tenth off."""
    cents = 33 + draw(salt, number)[0] % 153
    return max(33, cents * 9 // 10) if promoted else cents


class Sales:
    """The sessions of one world."""

    def __init__(self, config: WorldConfig, calendar: Calendar, people: People, catalogue: Catalogue) -> None:
        """Prepare the tables; no session is generated yet."""
        self._calendar = calendar
        self._people = people
        self._catalogue = catalogue
        self._salt = domain_salt(config.seed, "sessions")
        self._item_salt = domain_salt(config.seed, "items")
        self._price_salt = domain_salt(config.seed, "prices")
        self._uuids = UuidFactory(config.seed, "session")
        self._agents = [as_json(agent) for agent in names.USER_AGENTS]
        self._no_likes = {Month.parse(text) for text in config.no_likes_months}
        self._day_zero = calendar.months[0].first_ordinal
        self._days = _day_texts(calendar, _LIKE_DAYS + 2)
        self._shelf: dict[int, bytes] = {}

    def records(self, spans: Iterable[Span]) -> Iterator[bytes]:
        """Yield the JSON records of the sessions that started in the spans, earliest first."""
        for span in spans:
            month = self._calendar.months[span.number]
            timetable = self._calendar.sessions_timetable(span.number)
            newcomers = self._calendar.people_timetable(span.number)
            known = self._calendar.people_before[span.number]
            likes = _LIKED_OF_32 if month not in self._no_likes else 0
            tomorrow = month.first_ordinal - self._day_zero + 1
            chart = span.number * 131  # the new releases that sell well in this month
            base = span.number << _MONTH_SHIFT
            draw_session = partial(self._draw, base)
            for moment in walk(timetable, span.first_cell, span.stop_cell, draw_session):
                buyers = known + newcomers.done_before(moment.cell, moment.offset_us)
                day = tomorrow + moment.cell // 24
                yield self._record(base, moment, buyers, likes, day, chart)

    def _draw(self, base: int, position: int) -> tuple[int, ...]:
        return draw(self._salt, base | position)

    def _record(self, base: int, moment: Moment, buyers: int, likes: int, day: int, chart: int) -> bytes:
        words = moment.words
        who = words[1] >> 32
        # Half of the sessions belong to the loyal: a product of two uniform draws favours low numbers.
        if words[2] & 1:
            who = who * (words[1] & 0xFFFFFFFF) >> 32
        count = _ITEM_COUNTS[words[2] >> 1 & 63]
        awkward = self._catalogue.must_sell[2 * moment.number : 2 * moment.number + 2]
        if awkward:
            count = max(4, count)
        item_words = draw(self._item_salt, base | moment.number)
        size = self._catalogue.size
        shelf = self._shelf
        items = []
        for position in range(count):
            word = item_words[position]
            # A product of three uniform draws: few hits, a long tail. The other bits are spent below.
            song = size * ((word & 0xFFFFFF) * (word >> 24 & 0xFFFF) * (word >> 40 & 0xFFFF)) >> 56
            mood = word >> 56 & 7
            if mood == 1 or mood == 2:
                song = (song + chart) % size
            if position < len(awkward):
                song = awkward[position]
            key = song << 1 | (mood == 0)
            text = shelf.get(key) or self._stock(key)
            if word >> 59 < likes:
                word = word * _LIKE_STEP & WORD_MASK
                second, micro = divmod((word & 0xFFFFFFF) % 60_000_000, 1_000_000)
                text += b'true,"liked_since":"%b%b%02d.%06d"}' % (
                    self._days[day + (word >> 48) % _LIKE_DAYS],
                    _MINUTES[(word >> 28 & 0xFFFFF) % 1440],
                    second,
                    micro,
                )
            else:
                text += _NOT_LIKED
            items.append(text)
        return b'{"user_id":"%b","session_id":"%b","session_items":[%b],"user_agent":%b,"session_start_time":"%b"}' % (
            self._people.user_id(buyers * who >> 32),
            self._uuids.text(base | moment.number),
            b",".join(items),
            self._agents[words[3] % len(self._agents)],
            moment.stamp,
        )

    def _stock(self, key: int) -> bytes:
        """Write the JSON text of one song at one price, up to ``"liked":``; keep it if it sells often."""
        number, promoted = divmod(key, 2)
        label = self._catalogue.label(number)
        cents = price_cents(number, self._price_salt, promoted=bool(promoted))
        text = b'{"song_id":%b,"song_name":%b,"artist_id":%b,"artist_name":%b,"price":%b,"currency":"USD","liked":' % (
            *(as_json(part) for part in label),
            repr(cents / 100).encode(),
        )
        if number < _SHELF_SONGS:
            self._shelf[key] = text
        return text


def _day_texts(calendar: Calendar, beyond: int) -> list[bytes]:
    """Return ``YYYY-MM-DD`` for every day of the world and ``beyond`` more days."""
    texts: list[bytes] = []
    month = calendar.months[0]
    wanted = calendar.months[-1].first_ordinal + calendar.months[-1].days - month.first_ordinal + beyond
    while len(texts) < wanted:
        texts += [b"%04d-%02d-%02d" % (*month, day + 1) for day in range(month.days)]
        month = month.plus(1)
    return texts
