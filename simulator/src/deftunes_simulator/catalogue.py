"""Songs: what the shop sells, and the rows of the table ``deftunes.songs``.

generated: (seed, number) ─► Song;  nothing is stored, so a million songs take no more memory than one.
Song number 0 is the greatest hit: sales favour low numbers, and low artist numbers record more songs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import names
from .config import WorldConfig
from .csv_catalogue import CsvCatalogue, read_songs
from .seeded_draws import domain_salt, draw
from .songs import Catalogue, Label, Song

_LETTER_SPACE = 26**5
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALNUM = "0123456789" + _LETTERS
_ALNUM_SPACE = 36**5
# Two digits at a time: labels are made by the hundred thousand while a reply is being written.
_LETTER_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]
_ALNUM_PAIRS = [first + second for first in _ALNUM for second in _ALNUM]
# Any multiplier coprime to 26 (to 36) permutes the space; these are primes far from small fractions of it.
_TRACK_STEP, _SONG_STEP, _ARTIST_STEP = 7_354_127, 5_023_309, 37_362_541

_FIRST_ODD_SONG, _ODD_SONG_STEP = 41, 6
_FIRST_ODD_ARTIST = 5


def _five_digits(number: int, alphabet: str, pairs: list[str]) -> str:
    size = len(pairs)
    rest, last = divmod(number, size)
    first, middle = divmod(rest, size)
    return alphabet[first] + pairs[middle] + pairs[last]


def _letters(number: int) -> str:
    return _five_digits(number % _LETTER_SPACE, _LETTERS, _LETTER_PAIRS)


def _duration(word: int) -> float:
    """Seconds: two to six minutes, now and then anything from one second to ten minutes."""
    low, width = (104_444, 60_000_000) if word >> 58 == 0 else (12_000_000, 24_000_000)
    return (low + word % width) / 100_000


def _hotttnesss(word: int) -> float:
    return 0.0 if word >> 60 == 0 else word % 108_000_000 / 100_000_000


def _year(word: int) -> int:
    """Half of the songs have no year (0); the others crowd towards 2010, the oldest are of 1926."""
    if word >> 63:
        return 0
    return 2010 - (word >> 32) % 85 * ((word >> 40) % 85) // 84


class GeneratedCatalogue:
    """Songs derived from their number.

    The ids cannot collide: the five letters of an id are a permutation of its number, the rest is filler
    in the manner of the Million Song Dataset (TR…128F…, SO…12A…, AR…1187B9…; 18 characters).
    """

    def __init__(self, config: WorldConfig) -> None:
        """Prepare the catalogue of ``config.song_count`` songs."""
        self.size = config.song_count
        self.artists = max(40, self.size // 3)
        self._song_salt = domain_salt(config.seed, "songs")
        self._artist_salt = domain_salt(config.seed, "artists")
        self._shift = draw(domain_salt(config.seed, "song ids"), 0)
        self.must_sell = tuple(_FIRST_ODD_SONG + position * _ODD_SONG_STEP for position in range(len(names.ODD_TITLES)))
        self._odd = {number: position for position, number in enumerate(self.must_sell)}

    def label(self, number: int) -> Label:
        """Return how sessions name song ``number``."""
        words = draw(self._song_salt, number)
        artist = self._artist_of(number, words)
        return Label(
            self._track_id(number, words[0]),
            self._title(number, words),
            self._artist_id(artist),
            self._artist_name(artist, words),
        )

    def songs(self) -> Iterator[Song]:
        """Yield the rows of all songs in number order."""
        return map(self.song, range(self.size))

    def song(self, number: int) -> Song:
        """Return the full row of one song."""
        words = draw(self._song_salt, number)
        artist = self._artist_of(number, words)
        fame = draw(self._artist_salt, artist)
        cover = words[5] >> 8 & 31 == 0
        return Song(
            track_id=self._track_id(number, words[0]),
            title=self._title(number, words),
            song_id=self._song_id(number, words[0]),
            release=names.RELEASES[words[5] & 15],
            artist_id=self._artist_id(artist),
            artist_mbid=self._mbid(artist, words),
            artist_name=self._artist_name(artist, words),
            duration=_duration(words[6]),
            # number % 97 and the like: even the smallest catalogue shows each kind of gap.
            artist_familiarity=None if number % 97 == 13 else fame[2] % 99_000_000 / 100_000_000,
            artist_hotttnesss=None if number % 101 == 17 else _hotttnesss(fame[3]),
            year=0 if number % 9 == 0 else _year(words[7]),
            track_7digitalid=None if number % 11 == 5 else 1 + words[7] % 9_900_000,
            shs_perf=(words[5] >> 16) % 900_000 if cover else -1,
            shs_work=(words[5] >> 40) % 60_000 if cover else 0,
        )

    def _track_id(self, number: int, word: int) -> str:
        letters = _letters(number * _TRACK_STEP + self._shift[0])
        if word & 3:
            return f"TR{letters}128F{word >> 8 & 0xFFFFFFF:07X}"
        return f"TR{letters}12903{word >> 8 & 0xFFFFFF:06X}"

    def _song_id(self, number: int, word: int) -> str:
        letters = _letters(number * _SONG_STEP + self._shift[1])
        return f"SO{letters}12A{word >> 32:08X}"

    def _artist_id(self, artist: int) -> str:
        place = (artist * _ARTIST_STEP + self._shift[2]) % _ALNUM_SPACE
        unique = _five_digits(place, _ALNUM, _ALNUM_PAIRS)
        return f"AR{unique}1187{'B9' if artist & 1 else 'FB'}{(artist * 40_503) & 0xFFFFF:05X}"

    def _artist_of(self, number: int, words: Sequence[int]) -> int:
        odd = self._odd.get(number)
        if odd is not None:
            return _FIRST_ODD_ARTIST + odd % len(names.ODD_ARTISTS)
        if number < 24:
            return number % 4  # the greatest hits belong to four stars
        return self.artists * (words[1] >> 32) * (words[1] & 0xFFFFFFFF) >> 64

    def _title(self, number: int, words: Sequence[int]) -> str:
        odd = self._odd.get(number)
        if odd is not None:
            return names.ODD_TITLES[odd]
        word = words[2]
        opener = names.TITLE_OPENERS[word & 31]
        noun = names.TITLE_NOUNS[word >> 5 & 31]
        title = names.TITLE_PATTERNS[word >> 10 & 7] % (opener, noun)
        return title + names.TITLE_ENDINGS[word >> 13 & 15]

    def _artist_name(self, artist: int, words: Sequence[int]) -> str:
        odd = artist - _FIRST_ODD_ARTIST
        if 0 <= odd < len(names.ODD_ARTISTS):
            return names.ODD_ARTISTS[odd]
        word = draw(self._artist_salt, artist)[0]
        plain = (
            f"{names.ARTIST_FIRST[(word & 0xFFFF) % len(names.ARTIST_FIRST)]} "
            f"{names.ARTIST_MIDDLE[(word >> 16 & 0xFFFF) % len(names.ARTIST_MIDDLE)]} "
            f"{names.ARTIST_LAST[(word >> 32 & 0xFFFF) % len(names.ARTIST_LAST)]}"
        )
        if artist % 9:
            return plain
        # One artist in nine, the most prolific among them, is written in several ways.
        return names.SPELLINGS[words[3] & 7] % plain

    def _mbid(self, artist: int, words: Sequence[int]) -> str | None:
        if words[4] & 3 == 0:
            return None
        variant = words[4] >> 2 & 1 if artist % 9 == 0 else 0
        high, low = draw(self._artist_salt, artist)[4 + 2 * variant : 6 + 2 * variant]
        digits = f"{high:016x}{low:016x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def open_catalogue(config: WorldConfig) -> Catalogue:
    """Return the catalogue a world sells: generated, or read from ``config.songs_csv``."""
    if config.songs_csv is None:
        return GeneratedCatalogue(config)
    return CsvCatalogue(config.songs_csv)


def stream_songs(config: WorldConfig) -> Iterator[Song]:
    """Yield the rows of a world's ``deftunes.songs`` without preparing a catalogue to sell from."""
    if config.songs_csv is None:
        return GeneratedCatalogue(config).songs()
    return read_songs(config.songs_csv)
