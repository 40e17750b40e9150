"""Counter-based randomness: every drawn number is a pure function of (seed, domain, index).

Nothing here keeps a state, so a record does not depend on which records were drawn before it, in which
process, or for which query. Only integers are drawn and combined: floating point would make the bytes
depend on the machine's maths library.
"""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

WORD = 1 << 64
WORD_MASK = WORD - 1

pack_index = Struct("<Q").pack
unpack_words = Struct("<8Q").unpack


def domain_salt(seed: int, domain: str) -> bytes:
    """Return the 16 byte salt that separates one stream of draws (``"songs"``, ``"users"``) from another."""
    return blake2b(f"{seed}/{domain}".encode(), digest_size=16).digest()


def draw(salt: bytes, index: int) -> tuple[int, ...]:
    """Return eight independent 64 bit integers for record number ``index`` (0 ≤ index < 2**64).

    One keyed hash costs about a microsecond, a freshly seeded ``random.Random`` about ten.
    """
    return unpack_words(blake2b(pack_index(index), salt=salt).digest())


def draw_for(salt: bytes, content: bytes) -> tuple[int, ...]:
    """Return eight independent 64 bit integers for a piece of content instead of a number."""
    return unpack_words(blake2b(content, salt=salt).digest())


def scramble(number: int) -> int:
    """Map 64 bit integers one to one onto 64 bit integers that look random (the splitmix64 finaliser)."""
    number = (number + 0x9E3779B97F4A7C15) & WORD_MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & WORD_MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & WORD_MASK
    return number ^ (number >> 31)


class UuidFactory:
    """Turns record numbers into version 4 shaped UUIDs that cannot collide.

    All 64 bits of the scrambled number are kept in the text, so two numbers below 2**64 never share a
    UUID; the remaining bits are filled from a second scramble to look as random as the rest.
    """

    def __init__(self, seed: int, domain: str) -> None:
        """Prepare the factory for one kind of record of one world."""
        self._offset = int.from_bytes(domain_salt(seed, f"uuid/{domain}")[:8], "little")

    def text(self, number: int) -> bytes:
        """Return the 36 lower-case ASCII characters for ``number``."""
        whole = scramble((number ^ self._offset) & WORD_MASK)
        filler = scramble(whole)
        digits = b"%016x%016x" % (whole, filler)
        # 32+16+12 bits of `whole` sit before the variant, its last 4 bits lead the final group.
        return b"%b-%b-4%b-%b%b-%b%b" % (
            digits[:8],
            digits[8:12],
            digits[12:15],
            b"89ab"[filler & 3 : (filler & 3) + 1],
            digits[16:19],
            digits[15:16],
            digits[19:30],
        )
