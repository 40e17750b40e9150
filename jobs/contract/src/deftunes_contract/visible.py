"""Foreign text for people: what would act on a terminal or a page becomes a symbol that is seen.

Every text that a source, a table or a result brings passes here before it is put into HTML; escaping is the template's.
"""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """Data without characters that do something: control characters as symbols, direction changes as `�`.

    Line breaks become their symbol as well, so a value stays on its line. Halves of surrogate pairs, which no UTF-8
    file can hold, become `�` too.
    """
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return "�" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
