"""A number and its noun agree wherever they are printed."""

import re
from pathlib import Path

import pytest

from eduguard.plurals import amount

LIB = Path(__file__).parents[1] / "lib" / "eduguard"
NOUNS = (
    "rows photos faces files tables users students schools sessions templates keys columns portraits problems snapshots"
    " pairs placeholders collections notes"
)
CONSTANT = re.compile(r"\{_?[A-Z_]+(:,)?\}")  # never 1


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (1, ("row",), "1 row"),
        (0, ("row",), "0 rows"),
        (1234, ("row",), "1,234 rows"),
        (1, ("class", "classes"), "1 class"),
        (2, ("photo is", "photos are"), "2 photos are"),
    ],
)
def test_a_noun_follows_its_number(number: int, words: tuple[str, ...], text: str) -> None:
    assert amount(number, *words) == text


def test_no_message_has_a_plural_behind_any_number() -> None:
    counted = re.compile(rf"\{{[^{{}}]+\}} ({'|'.join(NOUNS.split())})\b")
    found = [
        f"{file.relative_to(LIB)}:{number}: {match[0]}"
        for file in LIB.rglob("*.py")
        for number, line in enumerate(file.read_text().splitlines(), 1)
        for match in counted.finditer(line)
        if 'f"' in line and not CONSTANT.match(match[0])
    ]
    assert found == []
