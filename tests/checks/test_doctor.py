"""The doctor's verdicts on the facts it has read: pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.aws import CollectionState, Face, Identity
from eduguard.checks import BROKEN, DRIFT, OK, Finding, worst
from eduguard.checks.evidence import DatabaseFacts
from eduguard.checks.findings import (
    compare_places,
    judge_clock,
    judge_collection,
    judge_database,
    judge_plan,
    judge_region,
)
from eduguard.sync import FaceRow, pair_up, plan_sync

IDS = st.sets(st.sampled_from([f"s-photo-{n}" for n in range(1, 6)]))


def face(name: str | None, face_id: str = "f") -> Face:
    return Face(face_id=face_id, external_image_id=name, confidence=99)


def identity(ahead: float) -> Identity:
    return Identity(account="1", arn="arn:aws:iam::1:user/x", clock_ahead=ahead)


def finding(verdict: str) -> Finding:
    return Finding(step="x", verdict=verdict, text="")


@pytest.mark.parametrize("ahead", [-301.0, -241.0, 241.0, 301.0])
def test_a_clock_that_is_minutes_off_is_broken(ahead: float) -> None:
    (found,) = judge_clock(identity(ahead))
    assert (found.verdict, found.text) == (BROKEN, f"this machine is {ahead:+.0f} s ahead of AWS")


@pytest.mark.parametrize("ahead", [-240.0, 0.0, 240.0])
def test_a_clock_that_is_seconds_off_is_not_mentioned(ahead: float) -> None:
    assert judge_clock(identity(ahead)) == []


def test_a_region_without_rekognition_is_broken() -> None:
    assert [(each.verdict, each.text) for each in judge_region("us-east-1")] == [(OK, "us-east-1")]
    assert [each.verdict for each in judge_region("mars-east-1")] == [BROKEN]


@pytest.mark.parametrize(
    ("facts", "verdict", "remedy"),
    [
        ({"exists": False}, BROKEN, "inv full"),
        ({"exists": True, "pending": ("0001_x",), "faces": 3}, DRIFT, "inv migrate"),
        ({"exists": True}, DRIFT, "inv seed-full"),
        ({"exists": True, "faces": 3}, OK, None),
    ],
    ids=["missing", "pending", "empty", "full"],
)
def test_a_database_is_judged(facts: dict[str, object], verdict: str, remedy: str | None) -> None:
    found = judge_database(DatabaseFacts(name="db", server="here", **facts))  # type: ignore[arg-type]
    assert (found.verdict, found.remedy) == (verdict, remedy)


@pytest.mark.parametrize(
    ("names", "counted", "verdict", "text"),
    [
        ([], 0, DRIFT, "arn has no face"),
        ([None, "somebody"], 2, DRIFT, "arn, 2 faces, 0 with an external image id of our form"),
        (["s-photo-1"], 2, DRIFT, "arn, 1 face, 1 with an external image id of our form; it counts 2"),
        (["s-photo-1", None], 2, OK, "arn, 2 faces, 1 with an external image id of our form"),
    ],
    ids=["empty", "foreign", "changing", "ours"],
)
def test_a_collection_is_judged(names: list[str | None], counted: int, verdict: str, text: str) -> None:
    found = judge_collection(CollectionState(face_count=counted, arn="arn"), [face(name) for name in names])
    assert (found.verdict, found.text) == (verdict, text)


def test_a_plan_with_every_kind_of_work_names_the_command_for_each() -> None:
    rows = [FaceRow("s-photo-1", "placeholder"), FaceRow("s-photo-2", "old"), FaceRow("s-photo-3", "gone")]
    faces = [
        face("s-photo-1", "a"),
        face("s-photo-2", "b"),
        face("s-photo-2", "c"),
        face("temp_attendance_1", "d"),
    ]
    found = {each.remedy for each in judge_plan(plan_sync(pair_up(rows, faces)))}
    assert {"inv sync-faces", "inv sync-faces --prune temporary"} <= found
    assert OK not in {each.verdict for each in judge_plan(plan_sync(pair_up(rows, faces)))}


def test_the_gravest_verdict_counts() -> None:
    assert worst([]) == worst([finding(OK)]) == OK
    assert worst([finding(OK), finding(DRIFT)]) == DRIFT
    assert worst([finding(DRIFT), finding(BROKEN), finding(OK)]) == BROKEN


@given(IDS, IDS, IDS)
def test_every_id_is_in_exactly_one_state(rows: set[str], photos: set[str], faces: set[str]) -> None:
    states = compare_places(rows, photos, faces)
    named = [external for ids in states.values() for external in ids]
    assert sorted(named) == sorted(rows | photos | faces)
    assert set(states) <= {"row", "photo", "face", "row + photo", "row + face", "photo + face", "row + photo + face"}
