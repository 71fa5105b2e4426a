"""`inv evaluate` measures how well the sample photos are told apart, and changes nothing."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.checks.verification import disguise
from eduguard.postgres import Database, connect

PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
CLASSES = PHOTOS / "classes"
Inv = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def counted(relay: Any, cloud_variables: dict[str, str]) -> tuple[Counter[str], dict[str, str]]:
    """The counted requests to Rekognition by operation, and the variables that point there as if to AWS."""
    asked: Counter[str] = Counter()

    def count(handler: Any, body: bytes) -> None:
        asked[handler.headers.get("X-Amz-Target", "").rpartition(".")[2]] += 1

    return asked, {"INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": relay(count), **cloud_variables}


def evaluate(inv: Inv, *flags: str, **options: Any) -> dict[str, Any]:
    return dict(json.loads(inv("evaluate", "--json", *flags, **options).stdout))


def at(report: dict[str, Any], threshold: float) -> dict[str, Any]:
    return next(each for each in report["thresholds"] if each["threshold"] == threshold)


def test_the_sample_photos_are_told_apart_and_are_too_few_to_prove_one_in_a_thousand(inv: Inv, full: Database) -> None:
    report = evaluate(inv)
    assert (report["photos"], report["students"], report["students_with_one_photo"]) == (24, 8, 0)
    # 18 photos of six students in one collection, 6 of two in the other.
    assert report["pairs"] == {"own": 24, "strangers": (18 * 15 + 6 * 3) // 2}
    pairs = at(report, 95.0)["pairs"]
    assert (pairs["false_accepts"]["count"], pairs["false_rejects"]["count"]) == (0, 0)
    assert report["inseparable"] == []
    assert report["suggestion"]["match_threshold"] is None
    assert report["suggestion"]["pairs_needed"] == 3838
    assert "too few pairs" in report["suggestion"]["problem"]
    first = report["worst"]["strangers"][0]
    assert first["one"].rpartition("-photo-")[0] != first["other"].rpartition("-photo-")[0]


@pytest.mark.slow
def test_a_goal_that_the_pairs_can_show_has_a_threshold(inv: Inv, full: Database) -> None:
    report = evaluate(inv, "--false-accepts", "0.05")
    threshold = report["suggestion"]["match_threshold"]
    assert at(report, threshold)["pairs"]["false_accepts"]["high"] <= 0.05
    assert (
        f"match_threshold: {threshold:g} for at most 5 % false accepts"
        in inv("evaluate", "--false-accepts", "0.05").stdout
    )


@pytest.mark.slow
def test_the_class_photo_is_judged_by_its_labels(inv: Inv, full: Database, tmp_path: Path) -> None:
    report = evaluate(inv, "--classes", str(CLASSES))
    assert report["class_photos"] == {"photos": 1, "faces": 6, "students": 6}
    found = at(report, 95.0)["class_photos"]
    assert (found["false_accepts"]["count"], found["false_accepts"]["of"]) == (0, 6)
    assert (found["false_rejects"]["count"], found["false_rejects"]["of"]) == (0, 6)
    (tmp_path / "class.jpg").write_bytes((CLASSES / "class-1b-lenguaje.jpg").read_bytes())
    (tmp_path / "labels.csv").write_text("photo,student\nclass.jpg,student-001\nclass.jpg,student-101\n")
    found = at(evaluate(inv, "--classes", str(tmp_path)), 95.0)["class_photos"]
    assert (found["false_accepts"]["count"], found["false_accepts"]["of"]) == (5, 6)
    assert (found["false_rejects"]["count"], found["false_rejects"]["of"]) == (1, 2)


@pytest.mark.slow
def test_a_student_with_somebody_elses_photo_is_named_as_inseparable(school: Any) -> None:
    school.inv("enrol", "sync-faces")
    other = disguise((PHOTOS / "students" / "student-002" / "photo-1.jpg").read_bytes())
    school.collection.index_face(other, "student-001-photo-8")
    school.inv("sync-faces", "--adopt")
    report = evaluate(school.inv)
    assert "student-001" in [each["student"] for each in report["inseparable"]]
    assert at(report, 95.0)["pairs"]["false_accepts"]["count"] == 3
    assert {report["worst"]["strangers"][0][side] for side in ("one", "other")} == {
        "student-001-photo-8",
        "student-002-photo-1",
    }
    assert "students whom no threshold separates: " in school.inv("evaluate").stdout


def test_the_plan_comes_first_costs_nothing_and_is_asked_about_on_aws(
    inv: Inv, full: Database, counted: tuple[Counter[str], dict[str, str]]
) -> None:
    asked, aws = counted
    plan = inv("evaluate", "--dry-run", **aws).stdout
    assert plan.startswith("evaluate   24 photos to search for: 1 s at 48.5/s, $0.02 once (prices of ")
    assert evaluate(inv, "--dry-run", **aws)["plan"]["requests"] == 24
    refused = inv("evaluate", check=False, **aws)
    assert (refused.returncode, "Nothing was searched for" in refused.stderr) == (1, True)
    assert set(asked) == {"ListFaces"}
    assert evaluate(inv, "--yes", **aws)["photos"] == 24
    assert asked["SearchFaces"] == 24


@pytest.mark.slow
def test_throttling_slows_it_down_and_loses_no_search(inv: Inv, full: Database, faults: Callable[..., None]) -> None:
    faults(throttle=5, operation="SearchFaces")
    assert evaluate(inv)["pairs"] == {"own": 24, "strangers": 144}


def test_one_school_is_evaluated_by_itself(inv: Inv, full: Database) -> None:
    assert evaluate(inv, "--school", "school-002")["pairs"] == {"own": 6, "strangers": 9}


def test_a_face_that_no_row_holds_is_left_out(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE student_faces SET face_id = DEFAULT WHERE student_id = 'student-001'")
    report = evaluate(inv)
    assert (report["photos"], report["students"]) == (21, 7)


@pytest.mark.slow
def test_rows_without_faces_are_an_error_that_says_the_way_out(inv: Inv, school: Any, cloud_endpoint: str) -> None:
    done = school.inv("evaluate", check=False)
    assert done.returncode == 1
    assert "There is no collection" in done.stderr
    with connect(school.database, purpose="tests") as conn:
        conn.execute("DELETE FROM student_faces")
    done = school.inv("evaluate", check=False)
    assert "No row holds the FaceId of a face in its collection" in done.stderr
    assert "inv sync-faces" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("goal", ["0", "1", "-0.1", "nan"])
def test_an_invalid_rate_is_refused(inv: Inv, goal: str) -> None:
    done = inv("evaluate", "--false-accepts", goal, check=False)
    assert (done.returncode, "is not between 0 and 1" in done.stderr) == (1, True)


def test_a_label_of_nobody_is_refused_before_anything_is_searched_for(
    inv: Inv, full: Database, tmp_path: Path, counted: tuple[Counter[str], dict[str, str]]
) -> None:
    asked, aws = counted
    (tmp_path / "class.jpg").write_bytes((CLASSES / "class-1b-lenguaje.jpg").read_bytes())
    (tmp_path / "labels.csv").write_text("photo,student\nclass.jpg,student-01\n")
    done = inv("evaluate", "--yes", "--classes", str(tmp_path), check=False, **aws)
    assert "No such student: student-01" in done.stderr
    assert not asked
