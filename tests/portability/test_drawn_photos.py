"""Which face each student gets; and a drawing says that it is one."""

from collections import Counter

from eduguard.portability.drawn_photos import Portrait, choose_faces, draw_shot
from eduguard.students import marks_of


def members(group: str, count: int) -> list[Portrait]:
    return [Portrait(student_id=f"{group}-{n:04}", number=1, key=f"{group}/{n}", group=group) for n in range(count)]


def test_classmates_get_different_faces_and_other_classes_other_ones() -> None:
    faces = choose_faces([*members("a", 35), *members("b", 35)], {})
    assert len(set(faces.values())) == 70


def test_a_student_keeps_the_face_that_is_drawn_and_nobody_else_of_the_class_gets_it() -> None:
    first = choose_faces(members("a", 5), {})
    known = {student: first[student] for student in ("a-0003", "a-0004")}
    again = choose_faces(members("a", 6), known)
    assert known.items() <= again.items()
    assert len(set(again.values())) == 6


def test_a_class_that_is_larger_than_all_faces_uses_each_as_often() -> None:
    counts = Counter(choose_faces(members("a", 3_100), {}).values())
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_drawing_is_the_same_whenever_it_is_drawn_and_says_that_it_is_one() -> None:
    shots = [draw_shot(120, number) for number in (1, 2, 4)]
    assert shots[0] == shots[2] != shots[1]
    assert all(marks_of(shot) == {"origin": "drawn"} for shot in shots)
