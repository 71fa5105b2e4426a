"""Texts as they are compared: without case, accents and punctuation."""

import re
import unicodedata

_MARKS = re.compile("[\u0300-\u036f]")
_WORDS = re.compile(r"[^\W\d_]{4,}")
_BREAKS = re.compile(r"[\W_]+")


def fold(text: str) -> str:
    """Return a text in small letters without accents."""
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))


def phrase_of(text: str) -> str:
    """Return the words and numbers of a text with single spaces between them, folded."""
    return _BREAKS.sub(" ", fold(text)).strip()


def words_of(folded: str) -> list[str]:
    """Return the words of a folded text that have four letters and more; numbers are not words."""
    return _WORDS.findall(folded)
