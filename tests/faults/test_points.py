"""A sample of the points at which commands are interrupted, and tests of the judge."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from judgement import Judge, State
from points import choose_points
from scenarios import SCENARIOS
from wires import MESSAGE, REQUEST, WAYS

FOLDER = Path(__file__).parent
SAMPLE = ("sync-faces", "enrol", "unenrol", "undo", "reindex")
EXTERNAL = "student-001-photo-1"
KEY = "students/student-001/photo-1.jpg"


def row(face_id: str = EXTERNAL, **columns: object) -> dict[tuple[str, str], dict[str, object]]:
    return {("student_faces", "face-1"): {"external_image_id": EXTERNAL, "face_id": face_id, **columns}}


BEFORE = State(rows=row(), faces={"one": EXTERNAL}, photos={KEY: "a"})
NEW = ("student_faces", "face-2")
AFTER = replace(
    BEFORE,
    rows=row() | {NEW: {"external_image_id": "student-001-photo-2", "face_id": "student-001-photo-2"}},
    faces={"one": EXTERNAL, "two": "student-001-photo-2"},
    photos={KEY: "a", "students/student-001/photo-2.jpg": "b"},
)
WRONG: dict[str, tuple[State, str]] = {
    "no database": (replace(BEFORE, rows=None), "there is no live database"),
    "a lost row": (replace(BEFORE, rows={}), "is lost"),
    "a strange row": (replace(BEFORE, rows=row() | {("students", "other"): {}}), "is strange"),
    "a changed row": (replace(BEFORE, rows=row(photo_url="other") | {}), "rows are half changed"),
    "another's face": (replace(BEFORE, rows=row(face_id="student-002-photo-1")), "face-1 is linked to student-002"),
    "a lost face": (replace(BEFORE, faces={}), f"face {EXTERNAL} is lost"),
    "the face of another": (replace(BEFORE, faces={"one": EXTERNAL, "x": "x-photo-1"}), "x-photo-1 is strange"),
    "a lost photo": (replace(BEFORE, photos={}), f"photo {KEY} is lost"),
    "a photo of another": (replace(BEFORE, photos={KEY: "b"}), f"photo {KEY} is another"),
}


@pytest.mark.parametrize("found", [BEFORE, AFTER], ids=["before", "after"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_the_judge_takes_what_was_before_and_what_comes_after(found: State, is_whole: bool) -> None:
    assert Judge(before=BEFORE, after=AFTER, is_whole=is_whole).judge(found) == []


@pytest.mark.parametrize("case", WRONG)
def test_the_judge_names_what_is_wrong(case: str) -> None:
    found, problem = WRONG[case]
    is_whole = "half" in problem
    assert problem in "\n".join(Judge(before=BEFORE, after=AFTER, is_whole=is_whole).judge(found))


def test_the_judge_takes_one_of_two_rows_where_they_are_committed_one_by_one() -> None:
    half = replace(AFTER, faces=AFTER.faces, rows=BEFORE.rows)
    assert Judge(before=BEFORE, after=AFTER, is_whole=False).judge(half) == []


def test_the_judge_wants_the_rows_of_before_live_or_kept() -> None:
    judge = Judge(before=BEFORE, after=AFTER, is_whole=True, keeps_previous=True)
    assert judge.judge(replace(AFTER, previous=BEFORE.rows)) == []
    assert judge.judge(AFTER) == ["the rows of before are neither live nor kept"]


def test_the_judge_wants_all_of_a_command_that_said_it_was_done() -> None:
    judge = Judge(before=BEFORE, after=AFTER, is_whole=True)
    assert judge.judge_done(AFTER) == []
    assert judge.judge_done(replace(AFTER, unfinished=("school_next",))) == ["school_next is left"]
    assert [text.split(" ", 2)[:2] for text in judge.judge_done(BEFORE)] == [
        ["rows", "differ:"],
        ["photos", "differ:"],
        ["faces", "differ:"],
    ]


@pytest.mark.parametrize("limit", [1, 7, 40, 150])
def test_points_are_thinned_out_evenly_and_each_way_comes_in_turn(limit: int) -> None:
    chosen = choose_points({MESSAGE: 115, REQUEST: 20}, limit)
    assert limit / 2 <= len(chosen) <= limit
    assert limit == 1 or {each.kind for each in chosen[-2:]} == {REQUEST} or limit == 7
    assert limit < 4 or {each.way for each in chosen} == set(WAYS)


def test_every_point_is_tried_where_there_are_few() -> None:
    chosen = choose_points({MESSAGE: 3, REQUEST: 1}, 16)
    assert len(set(map(str, chosen))) == len(chosen) == 16


@pytest.mark.sampled("sync-faces")
@pytest.mark.fault
@pytest.mark.parametrize("name", SAMPLE)
def test_a_sample_of_the_points(new_state_folder: Callable[[], AbstractContextManager[Path]], name: str) -> None:
    """`make faults` tries all points of all commands."""
    assert name in {each.name for each in SCENARIOS}
    with new_state_folder() as folder:
        done = subprocess.run(
            [sys.executable, FOLDER, "--state", folder, "--points", "2", "--only", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n{name} " in done.stdout
    assert ", 0 problems" in done.stdout
