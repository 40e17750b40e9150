"""How texts are made comparable, and which characters nobody sees.

A column of a contract declares its steps in the custom property `normalise`; the transform applies them in the order of
`Step` before any rule looks at the value. The landed text stays as it came. Blankness is defined here once: the
transform's rule `complete`, the gate's expectation for it and the step `trim` all use `BLANKS`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """One step of a normalisation.

    NFC: canonical composition (Unicode Standard Annex 15), so that one letter has one spelling. TRIM: `BLANKS` off both
    ends; a text of which nothing is left is null. UPPER: a-z as A-Z and nothing else, because codes are ASCII and
    Unicode's upper case makes codes of what is none (the ligature U+FB01 becomes FI, a sharp s becomes SS).
    """

    NFC = "nfc"
    TRIM = "trim"
    UPPER = "upper"


LOWER_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
UPPER_LETTERS: Final = LOWER_LETTERS.upper()

_RANGES: Final = (
    (0x01, 0x20),  # controls and space; NUL is no blank: no table stores it, and its own rule refuses it
    (0x7F, 0xA0),  # DEL, C1 controls, no-break space
    (0xAD, 0xAD),  # soft hyphen
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x061C, 0x061C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x1680, 0x1680),  # Ogham space
    (0x180B, 0x180F),  # Mongolian separators
    (0x2000, 0x200F),  # spaces of any width, zero-width space and joiners, directional marks
    (0x2028, 0x202F),  # line and paragraph separators, directional embeddings, narrow no-break space
    (0x205F, 0x206F),  # mathematical space, word joiner, directional isolates
    (0x2800, 0x2800),  # braille blank
    (0x3000, 0x3000),  # ideographic space
    (0x3164, 0x3164),  # Hangul filler
    (0xFEFF, 0xFEFF),  # byte order mark, zero-width no-break space
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF9, 0xFFFB),  # interlinear annotations
)
"""Unicode's White_Space, Cc but NUL, and what Default_Ignorable_Code_Point has that can stand alone (no variation
selectors, which change the sign before them): https://www.unicode.org/reports/tr44/."""

BLANKS: Final = "".join(chr(code) for first, last in _RANGES for code in range(first, last + 1))
"""Every character that shows nothing."""

VISIBLE: Final = "[^" + "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in _RANGES) + "]"
"""Pattern of one character that shows something; Java and Python read it alike."""
