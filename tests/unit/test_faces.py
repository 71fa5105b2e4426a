"""The plan of a sync is a pure function of rows and faces."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.faces import PLACEHOLDER, Change, Face, FaceRow, external_image_id, plan_sync, split_external_image_id


def row(external: str, face_id: str = PLACEHOLDER) -> FaceRow:
    return FaceRow(external_image_id=external, face_id=face_id)


def face(face_id: str, external: str | None, confidence: float = 99.0) -> Face:
    return Face(face_id=face_id, external_image_id=external, confidence=confidence)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("student-001-photo-1", ("student-001", 1)),
        ("a-photo-1-photo-12", ("a-photo-1", 12)),
        ("école-photo-1", None),
        ("student-001-photo-0", None),
        ("student-001-photo-01", None),
        ("student-001-photo-", None),
        ("-photo-1", None),
        ("x" * 247 + "-photo-1", ("x" * 247, 1)),
        ("x" * 248 + "-photo-1", None),
        ("temp_attendance_1", None),
        ("student-001-photo-1\n", None),
    ],
)
def test_an_external_image_id_is_a_student_id_and_a_number(text: str, parts: tuple[str, int] | None) -> None:
    assert split_external_image_id(text) == parts


@given(st.from_regex(r"[a-zA-Z0-9_.\-:]{1,200}", fullmatch=True), st.integers(min_value=1, max_value=10**9))
def test_splitting_undoes_joining(student_id: str, number: int) -> None:
    assert split_external_image_id(external_image_id(student_id, number)) == (student_id, number)


def test_each_row_is_linked_relinked_unchanged_or_missing() -> None:
    plan = plan_sync(
        [row("a-photo-1"), row("b-photo-1", "old"), row("c-photo-1", "same"), row("d-photo-1", "gone")],
        [face("new", "a-photo-1"), face("other", "b-photo-1"), face("same", "c-photo-1"), face("stray", "e-photo-1")],
    )
    assert plan.changes == (
        Change(external_image_id="a-photo-1", before=PLACEHOLDER, after="new"),
        Change(external_image_id="b-photo-1", before="old", after="other"),
    )
    assert [change.is_link for change in plan.changes] == [True, False]
    assert (plan.unchanged, plan.missing, [orphan.face_id for orphan in plan.orphans]) == (1, ("d-photo-1",), ["stray"])
    assert plan.summary() == "2 synced, 1 unchanged, 1 not in collection, 1 in collection only"


@pytest.mark.parametrize(
    ("held", "chosen"),
    [(PLACEHOLDER, "f2"), ("f3", "f3"), ("gone", "f2")],
    ids=["new row", "row has one", "row lost its"],
)
def test_of_several_faces_the_rows_own_wins_then_confidence_then_face_id(held: str, chosen: str) -> None:
    faces = [
        face("f1", "a-photo-1", 90),
        face("f4", "a-photo-1", 99),
        face("f2", "a-photo-1", 99),
        face("f3", "a-photo-1", 80),
    ]
    plan = plan_sync([row("a-photo-1", held)], faces)
    assert [change.after for change in plan.changes] == ([] if held == chosen else [chosen])
    assert len(plan.orphans) == 3


IDS = st.integers(min_value=1, max_value=9).map(lambda n: f"s-photo-{n}")
ROWS = st.lists(
    st.builds(row, IDS, st.sampled_from([PLACEHOLDER, "f1", "f2", "f3"])), unique_by=lambda r: r.external_image_id
)
FACES = st.lists(
    st.builds(face, st.sampled_from([f"f{n}" for n in range(1, 9)]), IDS | st.none(), st.sampled_from([90.0, 99.0])),
    unique_by=lambda f: f.face_id,
)


@given(ROWS, FACES, st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_order_and_leaves_nothing_to_do(
    rows: list[FaceRow], faces: list[Face], random: Random
) -> None:
    plan = plan_sync(rows, faces)
    shuffled_rows, shuffled_faces = list(rows), list(faces)
    random.shuffle(shuffled_rows)
    random.shuffle(shuffled_faces)
    assert plan_sync(shuffled_rows, shuffled_faces) == plan
    written = {change.external_image_id: change.after for change in plan.changes}
    after = [row(r.external_image_id, written.get(r.external_image_id, r.face_id)) for r in rows]
    assert plan_sync(after, faces).is_empty
    owner = {f.face_id: f.external_image_id for f in faces}
    assert all(owner[change.after] == change.external_image_id for change in plan.changes)
