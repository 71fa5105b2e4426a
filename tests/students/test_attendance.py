"""A pure function of the matches decides who is present."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from eduguard.aws import Box, Face, Match
from eduguard.errors import EduguardError
from eduguard.students.attendance import Roster, describe_rest, name_session, present_students, summarise_attendance
from eduguard.students.class_photos import Held, Likeness, Sighting, Stranger, check_users, decide, judge_matches

BOX = Box(left=0, top=0, width=1, height=1)
ROSTER = Roster(class_id="c", names={"ana": "Ana", "luz": "Luz"}, held=Held(owners={}, rows={}))
NOW = datetime(2026, 3, 9, 8, 30, tzinfo=UTC)


def seen(photo: int, student: str | None, similarity: float = 99) -> Sighting:
    likeness = Likeness(student_id=student, face_id=f"face-{student}", similarity=similarity) if student else None
    return Sighting(photo=photo, box=BOX, likeness=likeness)


def sure(*sightings: Sighting) -> list[bool]:
    return [each.is_sure for each in decide(sightings, threshold=95)]


def test_only_a_likeness_at_the_threshold_is_sure() -> None:
    assert sure(seen(0, "ana", 95), seen(0, "luz", 94.99), seen(0, None)) == [True, False, False]


def test_one_student_is_one_face_of_a_photo_the_most_similar() -> None:
    assert sure(seen(0, "ana", 96), seen(0, "ana", 98), seen(1, "ana", 97)) == [False, True, True]
    assert sure(seen(0, "ana", 98), seen(0, "ana", 98)) == [True, False]


def test_the_best_of_several_photos_is_recorded_and_strangers_to_the_class_are_not() -> None:
    sightings = decide([seen(0, "ana", 96), seen(1, "ana", 98), seen(1, "eva", 99), seen(2, "ana", 97)], threshold=95)
    present = present_students(sightings, ROSTER)
    assert {student: likeness.similarity for student, likeness in present.items()} == {"ana": 98}

    first, second = (
        seen(0, "ana", 98),
        replace(seen(1, "ana", 98), likeness=Likeness(student_id="ana", face_id="other", similarity=98)),
    )
    assert present_students(decide([first, second], threshold=95), ROSTER) == {"ana": first.likeness}


def test_a_student_who_was_not_surely_seen_is_not_present() -> None:
    sightings = decide([seen(0, "ana", 96), seen(0, "luz", 94.9)], threshold=95)
    assert present_students(sightings, ROSTER).keys() == {"ana"}
    assert present_students(decide([seen(0, "ana", 94.9)], threshold=95), ROSTER) == {}


def test_a_session_is_named_by_its_time_in_utc() -> None:
    santiago = timezone(timedelta(hours=-3))
    session = name_session("c", datetime(2026, 3, 9, 8, 30, tzinfo=santiago), ["x"], now=NOW)
    assert (session.id, session.starts_at) == ("c-20260309T113000Z", datetime(2026, 3, 9, 11, 30, tzinfo=UTC))


def test_a_session_without_a_time_is_named_by_its_photos_in_any_order() -> None:
    photos = list("abcdefgh")  # a set of so many strings has a different order in every run of Python
    digest = hashlib.sha256("\n".join(photos).encode()).hexdigest()[:16]
    for given in (photos, photos[::-1], [*photos, "a", "h"]):
        assert name_session("c", None, given, now=NOW).id == f"c-{digest}"
    assert name_session("c", None, photos[1:], now=NOW).id != f"c-{digest}"


HELD = Held(
    owners={"a1": "ana", "l1": "luz"},
    rows={"ana-photo-1": "a1", "luz-photo-1": "l1", "eva-photo-1": "placeholder", "isa-photo-1": "old"},
)
ANA, LUZ = ("a1", "ana-photo-1"), ("l1", "luz-photo-1")


def judged(*matches: tuple[str, str | None, float]) -> Likeness | Stranger | None:
    found = [
        Match(face_id=face_id, external_image_id=name, similarity=similarity) for face_id, name, similarity in matches
    ]
    return judge_matches(found, HELD, threshold=95)


def test_the_most_similar_face_counts_for_the_student_whose_row_holds_it() -> None:
    assert judged((*ANA, 97), (*LUZ, 96)) == Likeness(student_id="ana", face_id="a1", similarity=97)
    assert judged(("x", None, 94), (*LUZ, 93)) == Likeness(student_id="luz", face_id="l1", similarity=93)
    assert judged() is None


@pytest.mark.parametrize(
    ("best", "student", "has_row"),
    [
        (("new", "isa-photo-1"), "isa", True),
        (("e1", "eva-photo-1"), "eva", True),
        (("a9", "ana-photo-9"), "ana", False),
        (("a1", "luz-photo-1"), "luz", True),
        (("x", "visitor"), None, False),
        (("x", None), None, False),
    ],
    ids=["a stale FaceId", "the placeholder", "no row", "a row of another student", "another form", "no id"],
)
def test_a_better_match_that_no_row_of_its_student_holds_is_given_to_nobody_else(
    best: tuple[str, str | None], student: str | None, has_row: bool
) -> None:
    name = best[1] or best[0]
    holder = "ana" if best[0] == "a1" else None
    stranger = Stranger(name=name, student_id=student, similarity=95, has_row=has_row, holder=holder)
    held = Held(owners=HELD.owners, rows={each: face for each, face in HELD.rows.items() if each != "luz-photo-1"})
    matches = [Match(face_id=best[0], external_image_id=best[1], similarity=95)]
    matches.append(Match(face_id="l1", external_image_id=None, similarity=95))
    if best[0] == "a1":
        held = Held(owners={"a1": "ana"}, rows={"luz-photo-1": "l1"})
    assert judge_matches(matches, held, threshold=95) == stranger


def test_a_duplicate_counts_for_the_row_whose_own_face_is_found_too() -> None:
    ana = Likeness(student_id="ana", face_id="a1", similarity=98)
    assert judged(("copy", "ana-photo-1", 98), (*LUZ, 97), (*ANA, 60)) == ana
    alone = judged(("copy", "ana-photo-1", 98), (*LUZ, 97))
    assert alone == Stranger(name="ana-photo-1", student_id="ana", similarity=98, has_row=True)


def test_a_stranger_is_never_sure_and_is_named() -> None:
    stranger = Stranger(name="visitor", student_id=None, similarity=99.96)
    (sighting,) = decide([Sighting(photo=0, box=BOX, likeness=stranger)], threshold=95)
    assert not sighting.is_sure
    assert present_students([sighting], ROSTER) == {}
    (rest,) = describe_rest([sighting], ROSTER)
    assert rest == {"photo": 1, "resembles": "visitor", "similarity": 100.0, "reason": "unknown"}


def test_a_search_by_users_needs_the_users_of_the_class() -> None:
    faces = [Face("a1", "ana-photo-1", 99), Face("l1", "luz-photo-1", 99, "luz")]
    check_users(["luz", "eva"], HELD, faces)
    with pytest.raises(EduguardError, match="No user has the faces of ana; nobody was recorded"):
        check_users(["luz", "ana"], HELD, faces)


def test_each_face_that_counts_for_nobody_of_the_class_is_told_with_the_reason() -> None:
    stranger = Stranger(name="visitor", student_id=None, similarity=97.25)
    sightings = [
        replace(seen(0, "ana", 99), is_sure=True),
        replace(seen(0, "eva", 96.04), is_sure=True),
        seen(1, "luz", 94.96),
        seen(1, None),
        Sighting(photo=2, box=BOX, likeness=stranger),
        Sighting(photo=2, box=BOX, likeness=stranger, is_sure=True),
    ]
    assert [tuple(each.values()) for each in describe_rest(sightings, ROSTER)] == [
        (1, "eva", 96.0, "not in this class"),
        (2, "luz", 95.0, "unknown"),
        (2, None, None, "unknown"),
        (3, "visitor", 97.2, "unknown"),
        (3, "visitor", 97.2, "not in this class"),
    ]


@pytest.mark.parametrize(
    ("changed", "reasons", "end"),
    [
        (0, [], "; 2 faces; nothing changed"),
        (3, ["unknown", "not in this class", "unknown"], "; 2 faces, 1 not in this class, 2 unknown; 3 rows changed"),
        (None, [], ""),
    ],
)
def test_a_report_is_one_line(changed: int | None, reasons: list[str], end: str) -> None:
    taken = {"faces": 2, "changed": changed, "not_counted": [{"reason": reason} for reason in reasons]}
    report = {"session": "c-1", "present": 4, "absent": 5} | ({} if changed is None else taken)
    assert summarise_attendance(report) == f"c-1: 4 present, 5 absent{end}"
