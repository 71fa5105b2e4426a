"""The plan of a sync is a pure function of rows and faces."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.aws.types import Face
from eduguard.identifiers import PLACEHOLDER, external_image_id, split_external_image_id
from eduguard.sync.plan import Change, FaceRow, Pair, Plan, is_mass_share, pair_up, plan_sync


def flat(plan: Plan) -> tuple[dict[str, int], list[str], list[Change]]:
    return plan.counts(), list(map(str, plan.items())), list(plan.changes())


def row(external: str, face_id: str = PLACEHOLDER) -> FaceRow:
    return FaceRow(external_image_id=external, face_id=face_id)


def plan_for(rows: list[FaceRow], faces: list[Face], **asked: bool) -> Plan:
    return plan_sync(pair_up(rows, faces), **asked)


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
    plan = plan_for(
        [row("a-photo-1"), row("b-photo-1", "old"), row("c-photo-1", "same"), row("d-photo-1", "gone")],
        [face("new", "a-photo-1"), face("other", "b-photo-1"), face("same", "c-photo-1"), face("stray", "e-photo-1")],
    )
    assert list(plan.link) == [Change(external_image_id="a-photo-1", before=PLACEHOLDER, after="new")]
    assert list(plan.relink) == [Change(external_image_id="b-photo-1", before="old", after="other")]
    assert list(plan.missing) == [row("d-photo-1", "gone")]
    assert (plan.unchanged, [orphan.face_id for orphan in plan.orphan]) == (1, ["stray"])
    assert plan.summary(applied=True) == "2 synced, 1 unchanged, 1 not in collection, 1 in collection only"
    assert list(map(str, plan.items())) == [
        "+ a-photo-1: new",
        "* b-photo-1: old → other",
        "- d-photo-1: no face in the collection",
        "! orphan stray: e-photo-1",
    ]


def test_rows_that_stay_as_they_are_are_named_where_that_is_asked_for() -> None:
    rows, faces = [row("b-photo-1", "f2"), row("a-photo-1", "f1")], [face("f2", "b-photo-1"), face("f1", "a-photo-1")]
    assert plan_for(rows, faces).shown == 0
    plan = plan_for(rows, faces, in_full=True)
    assert (plan.unchanged, plan.shown, plan.has_drift) == (2, 2, False)
    assert list(map(str, plan.items())) == ["= a-photo-1: f1", "= b-photo-1: f2"]


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
    plan = plan_for([row("a-photo-1", held)], faces)
    assert [change.after for change in plan.changes()] == ([] if held == chosen else [chosen])
    assert {each.face_id for each in plan.duplicate} == {"f1", "f2", "f3", "f4"} - {chosen}


def test_faces_that_are_not_ours_are_told_apart() -> None:
    plan = plan_for(
        [], [face("f1", None), face("f2", "somebody"), face("f3", "temp_attendance_7"), face("f4", "a-photo-1")]
    )
    kinds = {kind: [each.face_id for each in getattr(plan, kind)] for kind in ("foreign", "temporary", "orphan")}
    assert kinds == {"foreign": ["f2", "f1"], "temporary": ["f3"], "orphan": ["f4"]}
    assert plan.summary(applied=False) == "0 to sync, 0 unchanged, 0 not in collection, 4 in collection only"
    assert (plan.shown, plan.rows) == (4, 0)


def test_two_rows_that_hold_each_others_faces_swap_them() -> None:
    plan = plan_for(
        [row("a-photo-1", "f2"), row("b-photo-1", "f1")], [face("f1", "a-photo-1"), face("f2", "b-photo-1")]
    )
    assert [(change.before, change.after) for change in plan.relink] == [("f2", "f1"), ("f1", "f2")]


def test_a_face_held_by_a_row_without_one_is_a_conflict_until_that_row_is_unlinked() -> None:
    rows, faces = [row("a-photo-1"), row("b-photo-1", "f1")], [face("f1", "a-photo-1")]
    plan = plan_for(rows, faces)
    assert plan.changed == 0
    assert [(each.external_image_id, each.holder) for each in plan.conflict] == [("a-photo-1", "b-photo-1")]
    assert [change.after for change in plan_for(rows, faces, unlink_missing=True).changes()] == ["f1", PLACEHOLDER]


def test_a_row_in_conflict_keeps_its_face_from_the_next() -> None:
    rows = [row("a-photo-1"), row("b-photo-1", "f1"), row("c-photo-1", "f2")]
    faces = [face("f1", "a-photo-1"), face("f2", "b-photo-1")]
    plan = plan_for(rows, faces)
    assert plan.changed == 0
    assert [(each.external_image_id, each.holder) for each in plan.conflict] == [
        ("a-photo-1", "b-photo-1"),
        ("b-photo-1", "c-photo-1"),
    ]
    assert plan.rows == 3
    assert (
        plan.summary(applied=False)
        == "0 to sync, 0 unchanged, 1 not in collection, 0 in collection only, 2 in conflict"
    )
    assert list(map(str, plan.items()))[1:] == [
        "! a-photo-1: its face f1 is held by b-photo-1",
        "! b-photo-1: its face f2 is held by c-photo-1",
    ]
    assert plan_for(rows, faces, unlink_missing=True).changed == 3


@pytest.mark.parametrize("holder", ["", "a-photo-1", "b-photo-1"])
def test_a_face_listed_for_two_rows_stays_with_the_one_that_has_it_or_goes_to_the_first(holder: str) -> None:
    rows = [row(external, "f1" if external == holder else PLACEHOLDER) for external in ("b-photo-1", "a-photo-1")]
    plan = plan_for(rows, [face("f1", "b-photo-1"), face("f1", "a-photo-1")])
    owner = holder or "a-photo-1"
    assert [change.external_image_id for change in plan.changes()] == ([] if holder else [owner])
    assert [(each.external_image_id, each.holder) for each in plan.conflict] == [
        ({"a-photo-1": "b-photo-1", "b-photo-1": "a-photo-1"}[owner], owner)
    ]


def test_a_face_that_waits_for_a_row_in_conflict_is_in_conflict_however_long_the_row_of_rows() -> None:
    rows = [row(f"{name}-photo-1", f"f{number}") for number, name in enumerate("abcd")]
    faces = [face(f"f{number + 1}", f"{name}-photo-1") for number, name in enumerate("abc")]
    plan = plan_for(rows, faces)
    assert plan.changed == 0
    assert [each.holder for each in plan.conflict] == ["b-photo-1", "c-photo-1", "d-photo-1"]
    assert len(plan_for(rows, faces, unlink_missing=True).relink) == 3


def linked(total: int, lost: int) -> Plan:
    rows = [row(f"s-photo-{number}", f"f{number}") for number in range(1, total + 1)]
    faces = [face(f"f{number}", f"s-photo-{number}") for number in range(lost + 1, total + 1)]
    return plan_for([*rows, row("new-photo-1"), row("new-photo-2")], [*faces, face("f0", "new-photo-1")])


@pytest.mark.parametrize(
    ("total", "lost", "is_mass_change"),
    [(9, 9, False), (10, 3, False), (10, 4, True), (10, 10, True), (11, 11, True), (100, 30, False), (100, 31, True)],
)
def test_more_than_30_per_cent_of_at_least_10_linked_rows_are_a_mass_change(
    total: int, lost: int, is_mass_change: bool
) -> None:
    plan = linked(total, lost)
    assert (plan.linked, plan.lost) == (total, lost)
    assert plan.is_mass_change is is_mass_change


def test_exactly_30_per_cent_is_not_a_mass_share_however_large() -> None:
    assert [is_mass_share(part, 1_000_000) for part in (300_000, 300_001)] == [False, True]
    assert [is_mass_share(part, 10) for part in (0, 3, 4)] == [False, False, True]
    assert not is_mass_share(0, 0)


def test_rows_that_agree_and_are_left_out_of_the_pairs_are_counted() -> None:
    rows, faces = [row("a-photo-1"), row("b-photo-1", "gone")], [face("f1", "a-photo-1"), face("f2", "c-photo-1")]
    plan = plan_sync(pair_up(rows, faces), rows=7)
    assert (plan.rows, plan.unchanged, plan.linked) == (7, 5, 6)
    assert plan_sync(pair_up(rows, faces), rows=2).unchanged == 0


def test_a_face_that_a_row_out_of_the_scope_holds_is_not_taken_from_it() -> None:
    plan = plan_sync(pair_up([row("a-photo-1")], [face("f1", "a-photo-1")], holders={"f1": "z-photo-1"}))
    assert [(each.face_id, each.holder) for each in plan.conflict] == [("f1", "z-photo-1")]


def test_a_row_without_a_face_is_a_pair_with_nothing() -> None:
    assert list(pair_up([row("a-photo-1", "f1")], [])) == [Pair("a-photo-1", "f1", "", 0.0)]


def test_rows_that_change_their_face_count_as_lost() -> None:
    rows = [row(f"s-photo-{number}", f"f{number}") for number in range(1, 11)]
    assert plan_for(rows, [face(f"g{number}", f"s-photo-{number}") for number in range(1, 11)]).is_mass_change


def test_rows_that_go_back_to_the_placeholder_are_shown_so() -> None:
    rows = [row("a-photo-1", "f1"), row("b-photo-1")]
    assert list(map(str, plan_for(rows, []).items())) == [
        "- a-photo-1: no face in the collection",
        "- b-photo-1: no face in the collection",
    ]
    assert list(map(str, plan_for(rows, [], unlink_missing=True).items())) == [
        "- a-photo-1: back to the placeholder",
        "- b-photo-1: no face in the collection",
    ]


def test_a_face_listed_on_two_pages_counts_once() -> None:
    assert plan_for([row("a-photo-1", "f1")], [face("f1", "a-photo-1")] * 2).shown == 0


IDS = st.integers(min_value=1, max_value=9).map(lambda n: f"s-photo-{n}")
FACE_IDS = [f"f{n}" for n in range(1, 9)]
ROWS = st.lists(
    st.builds(row, IDS, st.just(PLACEHOLDER) | st.sampled_from(FACE_IDS)), unique_by=lambda r: r.external_image_id
).filter(lambda rows: len({r.face_id for r in rows} - {PLACEHOLDER}) == sum(r.face_id != PLACEHOLDER for r in rows))
FACES = st.lists(
    st.builds(
        face, st.sampled_from(FACE_IDS), IDS | st.none() | st.just("temp_attendance_1"), st.sampled_from([90.0, 99.0])
    ),
)


@given(ROWS, FACES, st.booleans(), st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_order_and_leaves_nothing_to_do(
    rows: list[FaceRow], faces: list[Face], unlink: bool, random: Random
) -> None:
    plan = plan_for(rows, faces, unlink_missing=unlink)
    shuffled_rows, shuffled_faces = list(rows), [*faces, *faces]
    random.shuffle(shuffled_rows)
    random.shuffle(shuffled_faces)
    assert flat(plan_for(shuffled_rows, shuffled_faces, unlink_missing=unlink)) == flat(plan)
    assert plan.rows == len(rows)
    written = {change.external_image_id: change.after for change in plan.changes()}
    after = [row(r.external_image_id, written.get(r.external_image_id, r.face_id)) for r in rows]
    held = [r.face_id for r in after if r.face_id != PLACEHOLDER]
    assert len(held) == len(set(held)), "two rows hold one FaceId"
    assert plan_for(after, faces, unlink_missing=unlink).changed == 0
    own = {(f.external_image_id, f.face_id) for f in faces}
    assert all((change.external_image_id, change.after) in own for change in (*plan.link, *plan.relink))
    assert unlink or not plan.unlink
