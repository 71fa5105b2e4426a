"""A collection is doubted if the database remembers another one, or if a tag names another school."""

import pytest

from eduguard.schools import Place
from eduguard.synced import Trust, find_doubts

PLACE = Place(collection="faces", school="a", guests=("b",))
HERE, THERE = (f"arn:aws:rekognition:us-east-1:123456789012:collection/{name}" for name in ("faces", "others"))


@pytest.mark.parametrize(
    ("synced", "tag", "doubts", "notes"),
    [
        (HERE, "a", [], []),
        (HERE, "b", [], []),
        (HERE, "", [], []),
        (None, "a", [], []),
        (None, "", [], ["no tag says whose it is"]),
        (None, None, [], ["ListTagsForResource", "no tag says whose it is"]),
        (HERE, None, [], ["ListTagsForResource"]),
        (HERE, "c", ["is tagged as the collection of c, not of a and b"], []),
        (THERE, "a", [f"were synced with {THERE} before, and this is {HERE}"], []),
        (THERE, "c", [f"were synced with {THERE} before", "is tagged as the collection of c"], []),
    ],
    ids=[
        "remembered and tagged",
        "tagged for a school with guests in it",
        "remembered",
        "tagged",
        "first sync without a tag",
        "first sync of a role that may not ask",
        "remembered, by a role that may not ask",
        "of another school",
        "another collection than before",
        "both",
    ],
)
def test_what_database_and_tag_say_is_judged(
    synced: str | None, tag: str | None, doubts: list[str], notes: list[str]
) -> None:
    found = find_doubts(PLACE, HERE, synced=synced, tag=tag)
    assert [len(found.doubts), len(found.notes)] == [len(doubts), len(notes)]
    for expected, text in zip([*doubts, *notes], [*found.doubts, *found.notes], strict=True):
        assert expected in text


def test_nothing_is_doubted_of_a_collection_without_students() -> None:
    nobody = Place(collection="faces")
    assert find_doubts(nobody, HERE, synced=None, tag="c") == Trust()
