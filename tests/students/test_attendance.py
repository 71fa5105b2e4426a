"""Who is present is decided by a pure function of what was seen."""

import hashlib
from datetime import UTC, datetime, timedelta, timezone

from eduguard.aws import Box
from eduguard.students.attendance import Roster, name_session, present_students
from eduguard.students.class_photos import Likeness, Sighting, decide

BOX = Box(left=0, top=0, width=1, height=1)
ROSTER = Roster(class_id="c", names={"ana": "Ana", "luz": "Luz"}, owners={})
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
    sightings = decide([seen(0, "ana", 96), seen(1, "ana", 98), seen(1, "eva", 99)], threshold=95)
    present = present_students(sightings, ROSTER)
    assert {student: likeness.similarity for student, likeness in present.items()} == {"ana": 98}


def test_a_student_who_was_not_surely_seen_is_not_present() -> None:
    sightings = decide([seen(0, "ana", 96), seen(0, "luz", 94.9)], threshold=95)
    assert present_students(sightings, ROSTER).keys() == {"ana"}
    assert present_students(decide([seen(0, "ana", 94.9)], threshold=95), ROSTER) == {}


def test_a_session_is_named_by_its_time_in_utc() -> None:
    santiago = timezone(timedelta(hours=-3))
    session = name_session("c", datetime(2026, 3, 9, 8, 30, tzinfo=santiago), ["x"], now=NOW)
    assert (session.id, session.starts_at) == ("c-20260309T113000Z", datetime(2026, 3, 9, 11, 30, tzinfo=UTC))


def test_a_session_without_a_time_is_named_by_its_photos_in_any_order() -> None:
    photos = list("abcdefgh")  # a set of so many strings has another order in every run of Python
    digest = hashlib.sha256("\n".join(photos).encode()).hexdigest()[:16]
    for given in (photos, photos[::-1], [*photos, "a", "h"]):
        assert name_session("c", None, given, now=NOW).id == f"c-{digest}"
    assert name_session("c", None, photos[1:], now=NOW).id != f"c-{digest}"
