"""A hint names what is near the word that was typed."""

import pytest

from eduguard.errors import suggest


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("student-0001", ["student-001", "class-1"], "Did you mean student-001? Look there."),
        ("prodution", ["production", "local"], "Did you mean production? Look there."),
        ("nobody", ["student-001"], "Look there."),
        ("nobody", [], "Look there."),
    ],
)
def test_a_near_name_comes_first(word: str, known: list[str], hint: str) -> None:
    assert suggest(word, known, "Look there.") == hint


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert suggest("a.jpg", ["zzz.png"]) == ""
