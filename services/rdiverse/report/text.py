"""Makes text that a model wrote safe to look at: every character shows, none acts."""

import unicodedata

MAX_SHOWN = 1500
"""Characters of one text that the page shows."""

_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def visible(text: str | None, most: int = MAX_SHOWN) -> str:
    """The text with control and invisible characters written out, cut after `most` characters with a note of its length.

    C0 controls and DEL become their pictures (␀ ␛ ␡); all other invisible or direction-changing characters become
    ⟨U+202E⟩. Markup is not this function's business: the template escapes everything.
    """
    if text is None:
        return ""
    shown = text[:most]
    if not shown.replace("\n", "").replace("\t", "").isprintable():
        shown = "".join(map(_written_out, shown))
    return f"{shown} … [{len(text):,} characters in all]" if len(text) > most else shown


def _written_out(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or unicodedata.category(character) not in _HIDDEN:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"⟨U+{code:04X}⟩"
