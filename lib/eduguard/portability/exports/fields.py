"""Find the texts in values of any type, including those inside documents, arrays and bytes."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from eduguard.portability.exports.schema import Column
from eduguard.portability.exports.spelling import fold

_UNTEXTUAL = frozenset("DTNBEG")  # dates, spans, numbers, booleans, enumerations, shapes: they cannot hold a name
_ELEMENT = re.compile(r'"((?:[^"\\]|\\.|"")*)"|([^,{}()\[\]"]+)')
_ESCAPED = re.compile(r'\\(.)|"(?=")')
_BREAKS = re.compile("(?:[^\\w\\x00]|_)+")
_RUT = re.compile(r"(?<![\w.,-])(\d{1,3}(?:\.\d{3}){1,2}|\d{6,8})-?([\dkK])(?![\w-])")
_PHONE = re.compile(r"(?<![\w+])\+?\d(?:[ ()-]?\d){7,14}(?!\w)")
# Keys of other systems and our own made-up keys are long and many, and contain no RUT and no telephone number.
_OUR_KEY, _UUID = 21, 36  # characters
_CHILE, _NATIONAL = "56", 9  # the country's code, and the number of digits after it


def is_textual(column: Column) -> bool:
    """Say whether values of a column may contain texts."""
    return column.category not in _UNTEXTUAL


def is_plain(column: Column) -> bool:
    """Say whether each value of a column, as PostgreSQL writes it, is exactly one text."""
    if column.base in ("json", "jsonb", "bytea"):
        return False
    return column.category not in "ACU" or column.base in ("uuid", "citext")


def texts_in(column: Column, values: Iterable[str]) -> Iterator[str]:
    """Return every text in the values of a column, as PostgreSQL writes them."""
    if column.base in ("json", "jsonb"):
        return (text for value in values for text in _leaves(json.loads(value)))
    if column.base == "bytea":
        return (text for value in values for text in (value, _decode(value)))
    if is_plain(column):
        return iter(values)
    return (text for value in values for text in (value, *_elements(value)))


def phrases_of(texts: Collection[str]) -> list[str]:
    """Return each text folded, as words and numbers with single spaces between them; texts must not contain NUL."""
    if not texts:
        return []
    joined = _BREAKS.sub(" ", fold("\0".join(texts)))
    return [phrase.strip() for phrase in joined.split("\0")]


def numbers_in(texts: Iterable[str]) -> set[str]:
    """Return the RUTs and telephone numbers in texts; all spellings of a number give the same form."""
    joined = "\0".join(text for text in texts if not _is_long_key(text))
    found = {f"rut {body.replace('.', '')}{digit.upper()}" for body, digit in _RUT.findall(joined)}
    for phone in _PHONE.findall(joined):
        digits = re.sub(r"\D", "", phone)
        if phone.startswith("+") or len(digits) in (_NATIONAL, _NATIONAL + len(_CHILE)):
            is_ours = digits.startswith(_CHILE) and len(digits) == _NATIONAL + len(_CHILE)
            found.add(f"phone {digits[len(_CHILE) :] if is_ours else digits}")
    return found


def _is_long_key(text: str) -> bool:
    """Say whether a text is a UUID or a made-up key: many digits, but neither a RUT nor a telephone number."""
    size = len(text)
    return (size == _OUR_KEY and text[0] == "k" and text[1:].isdigit()) or (
        size == _UUID and text[8] == text[13] == text[18] == text[23] == "-"
    )


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield name.replace("\0", " ")
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value).replace("\0", " ")


def _decode(value: str) -> str:
    try:
        return bytes.fromhex(value.removeprefix("\\x")).decode(errors="replace").replace("\0", " ")
    except ValueError:
        return value


def _elements(value: str) -> Iterator[str]:
    for quoted, plain in _ELEMENT.findall(value):
        yield _ESCAPED.sub(r"\1", quoted) if quoted else plain
