"""The doctor finds what is wrong, from credentials to photos, and names the command that repairs it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eduguard.checks.verification import disguise
from eduguard.commands.permission import TABLE
from eduguard.postgres import Database, connect, execute_for

PHOTOS = Path(__file__).parents[2] / "seed_data" / "photos"
School = Any  # of conftest.py
Inv = Callable[..., subprocess.CompletedProcess[str]]


def examine(inv: Inv, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    done = inv("doctor", "--json", *arguments, check=False, **environment)
    return done.returncode, json.loads(done.stdout)


def found(report: dict[str, Any], verdict: str) -> list[tuple[str, str | None]]:
    return [(each["text"], each["remedy"]) for each in report["findings"] if each["verdict"] == verdict]


def test_all_is_well_after_full(inv: Inv, full: Database) -> None:
    status, report = examine(inv)
    assert (status, report["verdict"]) == (0, "ok")
    steps = [each["step"] for each in report["findings"]]
    assert steps == ["settings", "credentials", "database", "collection", "collection", "sync", "sync", "photos"]


@pytest.mark.slow
def test_remaining_placeholders_are_drift_that_sync_repairs(inv: Inv, full: Database) -> None:
    inv("reset", "seed")
    status, report = examine(inv)
    assert status == 2
    assert found(report, "drift") == [
        ("school-001: 18 rows hold the placeholder, 0 an old FaceId", "inv sync-faces"),
        ("school-002: 6 rows hold the placeholder, 0 an old FaceId", "inv sync-faces"),
    ]
    inv("sync-faces")
    assert examine(inv)[0] == 0


def test_a_row_without_photo_and_face_is_named(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO student_faces (id, student_id, external_image_id, photo_url) "
            "VALUES ('x', 'student-001', 'student-001-photo-7', 'students/student-001/photo-7.jpg')"
        )
        conn.execute("DELETE FROM student_faces WHERE id = 'face-002-1'")
    status, report = examine(inv)
    assert status == 2
    texts = [text for text, _ in found(report, "drift")]
    assert "1 with only row: student-001-photo-7" in texts
    assert "1 with only photo + face: student-002-photo-1" in texts


def test_a_missing_database_and_collection_are_broken(inv: Inv, database: Database, cloud_endpoint: str) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_COLLECTION="nowhere")
    assert (status, report["verdict"]) == (1, "broken")
    texts = dict(found(report, "broken"))
    assert f"{database.name} does not exist on {database.url.split('host=')[1].split()[0]}:5432" in texts
    assert "There is no collection nowhere in us-east-1" in texts


def test_a_missing_collection_leaves_the_photos_of_the_other_schools_to_be_compared(inv: Inv, full: Database) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_COLLECTION="nowhere")
    assert status == 1
    assert "6 with row, photo and face" in [text for text, _ in found(report, "ok")]
    assert not [text for text, _ in found(report, "drift") if "only" in text]


def test_missing_credentials_are_told_first(inv: Inv, full: Database, cloud_endpoint: str) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=cloud_endpoint)
    assert status == 1
    assert report["findings"][1]["step"] == "credentials"
    assert "aws configure" in report["findings"][1]["remedy"]


@pytest.fixture
def deny(tell_cloud: Callable[..., None]) -> Iterator[Callable[[str], None]]:
    """Make the local cloud refuse an operation of Rekognition."""
    yield lambda operation: tell_cloud(deny=1000, operation=operation)
    tell_cloud()


@pytest.mark.parametrize(
    ("operation", "action"), [("DescribeCollection", "describe"), ("ListFaces", "list the faces of")]
)
def test_a_missing_permission_is_named_with_the_way_to_it(
    inv: Inv, full: Database, deny: Callable[[str], None], operation: str, action: str
) -> None:
    deny(operation)
    status, report = examine(inv, "--school", "school-001")
    assert status == 1
    ((text, remedy),) = found(report, "broken")
    assert text.startswith(f"AWS would not {action} collection tests in us-east-1: AccessDeniedException")
    assert f"rekognition:{operation}" in text
    assert remedy == "`inv doctor --iam` prints the policy that each job needs."


def test_a_missing_bucket_is_broken_and_the_faces_are_still_judged(inv: Inv, full: Database) -> None:
    status, report = examine(inv, INVOKE_TARGETS_LOCAL_BUCKET="nowhere")
    assert status == 1
    ((text, _),) = found(report, "broken")
    assert "nowhere" in text
    assert "school-001: 18 rows hold their FaceIds" in [text for text, _ in found(report, "ok")]


@pytest.mark.slow
def test_an_empty_collection_is_drift(inv: Inv, full: Database, cloud_client: Callable[[str], Any]) -> None:
    client = cloud_client("rekognition")
    client.create_collection(CollectionId="empty")
    try:
        status, report = examine(inv, INVOKE_TARGETS_LOCAL_COLLECTION="empty")
        assert status == 2
        text = "arn:aws:rekognition:us-east-1:123456789012:collection/empty has no face"
        assert (text, "inv reindex, then inv sync-faces --confirm-collection empty") in found(report, "drift")
    finally:
        client.delete_collection(CollectionId="empty")


def test_pending_migrations_are_drift(inv: Inv, empty_database: Database, cloud_endpoint: str) -> None:
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("CREATE TABLE students (id text)")
    assert ("inv migrate") in [remedy for _, remedy in found(examine(inv)[1], "drift")]


def test_the_policies_name_the_collection_and_only_into_another_one_all(inv: Inv, full: Database) -> None:
    policies = json.loads(inv("doctor", "--iam").stdout)
    assert {name.partition(" --")[0] for name in policies} < set(TABLE)
    wide = [
        action
        for policy in policies.values()
        for each in policy["Statement"]
        if each["Resource"] == "*"
        for action in each["Action"]
    ]
    # The actions that the service authorization reference lists without a resource.
    assert sorted(set(wide)) == ["rekognition:CreateCollection", "rekognition:DetectFaces"]
    (statement,) = policies["sync-faces"]["Statement"]
    assert statement["Resource"] == [
        f"arn:aws:rekognition:us-east-1:123456789012:collection/{name}" for name in ("tests", "tests-2")
    ]
    every = "arn:aws:rekognition:us-east-1:123456789012:collection/*"
    assert {name for name, each in policies.items() if every in json.dumps(each)} == {"reindex --into"}
    tags = "rekognition:ListTagsForResource"
    assert statement["Action"] == ["rekognition:DescribeCollection", "rekognition:ListFaces", tags]
    assert {tags, "rekognition:TagResource"} < set(policies["enrol"]["Statement"][0]["Action"])


def change(school: School, statement: Any) -> None:
    with connect(school.database, purpose="tests") as conn:
        conn.execute(statement)


def lose_row(school: School) -> None:
    change(school, "DELETE FROM student_faces WHERE external_image_id = 'student-001-photo-1'")


def lose_photo(school: School) -> None:
    school.bucket.delete(["students/student-001/photo-1.jpg"])


def lose_face(school: School) -> None:
    school.collection.delete_faces([dict(school.faces())["student-001-photo-1"]])


def lose_collection(school: School) -> None:
    school.client("rekognition").delete_collection(CollectionId=school.name)


def empty_collection(school: School) -> None:
    school.collection.delete_faces([face for _, face in school.faces()])


def unlink(school: School) -> None:
    change(school, "UPDATE student_faces SET face_id = DEFAULT WHERE student_id = 'student-001'")


def copy_face(school: School) -> None:
    jpeg = school.bucket.download("students/student-001/photo-2.jpg")
    school.collection.index_face(jpeg, "student-001-photo-1")


def delete_student(school: School) -> None:
    change(school, "DELETE FROM students WHERE id = 'student-001'")


LOST: dict[str, tuple[Callable[[School], None], ...]] = {
    "with only row": (lose_photo, lose_face),
    "with only photo:": (lose_row, lose_face),
    "with only face": (lose_row, lose_photo),
    "with only row + photo": (lose_face,),
    "with only row + face": (lose_photo,),
    "with only photo + face": (lose_row,),
    "There is no collection": (lose_collection,),
    "has no face": (empty_collection,),
    "rows hold the placeholder": (unlink,),
    "of kind duplicate": (copy_face,),
    "that are not in the database": (delete_student,),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", LOST)
def test_a_remedy_repairs_the_situation_that_it_is_given_for(school: School, tmp_path: Path, text: str) -> None:
    school.inv("enrol")
    school.inv("sync-faces")
    for lose in LOST[text]:
        lose(school)
    _, report = examine(school.inv)
    (remedy,) = {each["remedy"] for each in report["findings"] if text in each["text"] and each["verdict"] != "ok"}
    shutil.copytree(PHOTOS / "students", tmp_path / "students")
    if text in {"There is no collection", "has no face", "with only photo:", "with only row + photo"}:
        shutil.rmtree(tmp_path / "students")
    steps = [step.removeprefix("then ") for step in remedy.partition(";")[0].split(", ")]
    for command in (step.removeprefix("inv ") for step in steps if step.startswith("inv ")):
        words = command.replace("FOLDER", str(tmp_path)).replace("STUDENT", "student-001").split()
        asks = words[0] == "unenrol" or "--prune" in words
        school.inv(*words, *(["--yes"] if asks else []))
    status, report = examine(school.inv)
    left = [each["text"] for each in report["findings"] if each["verdict"] != "ok"]
    assert (status, left) == (0, []), remedy


@pytest.mark.slow
def test_faces_that_are_alike_across_students_are_named_when_asked_and_drawn_ones_only_counted(school: School) -> None:
    school.inv("enrol")
    school.inv("sync-faces")
    _, report = examine(school.inv)
    assert "look-alikes" not in {each["step"] for each in report["findings"]}
    photo = (PHOTOS / "students" / "student-001" / "photo-1.jpg").read_bytes()
    for name, content in (("student-002-photo-8", photo), ("student-003-photo-8", disguise(photo))):
        student, _, number = name.partition("-photo-")
        marks = {"origin": "drawn"} if content == photo else {}
        school.bucket.put(f"students/{student}/photo-{number}.jpg", content, marks)
        school.collection.index_face(content, name)
    school.inv("sync-faces", "--adopt")
    status, report = examine(school.inv, "--look-alikes")
    assert status == 2
    ((text, remedy),) = found(report, "drift")
    assert "student-001-photo-1 and student-003-photo-8 (" in text
    assert "student-001-photo-1 and student-002-photo-8" not in text
    assert "pairs of drawn photos are alike" in text
    assert "inv unenrol STUDENT" in remedy


def test_fix_shows_runs_and_looks_again(inv: Inv, full: Database) -> None:
    inv("reset", "seed")
    alone = inv("doctor", "--fix", check=False)
    assert alone.returncode == 1
    assert alone.stderr.endswith(
        "Commands that mend it:\n  inv sync-faces\nerror: Nothing was run: nobody was there to ask\n  inv doctor --fix --yes\n"
    )
    assert examine(inv)[0] == 2
    narrow = inv("doctor", "--fix", "--yes", "--school", "school-002")
    assert "school-001" not in narrow.stdout
    assert "school-002: 6 rows hold their FaceIds" in narrow.stdout
    status, report = examine(inv, "--fix", "--yes", INVOKE_TARGETS_LOCAL_PROTECTION="refuse")
    assert (status, report["verdict"], report["commands"]) == (0, "ok", {"inv sync-faces": None})
    again = inv("doctor", "--fix")
    told = [line for line in again.stderr.splitlines() if not line.startswith("doctor: ")]  # how far a slow one is
    assert (told, "drift" in again.stdout) == ([], False)


@pytest.mark.slow
def test_fix_runs_nothing_that_the_protection_forbids(inv: Inv, database: Database, cloud_endpoint: str) -> None:
    for level in ("confirm", "refuse"):
        done = inv("doctor", "--fix", "--yes", check=False, INVOKE_TARGETS_LOCAL_PROTECTION=level)
        assert done.returncode == 1
        assert "Not run, because they change what the target protects:\n  inv full\n" in done.stderr
        assert "Commands that mend it" not in done.stderr
    done = inv("doctor", "--fix", "--yes", check=False)
    assert (done.returncode, f"{database.name} is ready" in done.stdout) == (0, True), done.stdout + done.stderr


def test_fix_names_what_only_a_person_can_repair(inv: Inv, full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO student_faces (id, student_id, external_image_id, photo_url) "
            "VALUES ('x', 'student-001', 'student-001-photo-7', 'students/student-001/photo-7.jpg')"
        )
    done = inv("doctor", "--fix", "--yes", check=False)
    assert done.returncode == 2
    assert "For you to mend:\n  photos: 1 with only row: student-001-photo-7: inv enrol --from FOLDER" in done.stderr


@pytest.mark.slow
def test_a_command_that_fails_is_told_and_the_others_run(inv: Inv, full: Database) -> None:
    inv("reset", "--to", "0004")
    status, report = examine(inv, "--fix", "--yes", INVOKE_SEED_FOLDER="/nowhere")
    assert (status, report["commands"]) == (2, {"inv migrate": None})
    status, report = examine(inv, "--fix", "--yes", INVOKE_SEED_FOLDER="/nowhere")
    assert "There is no fixture in /nowhere" in report["commands"]["inv seed-full"]
    assert status == 2


@pytest.mark.slow
@pytest.mark.parametrize("change", ["edited", "of another branch", "gone database"])
def test_status_plan_and_doctor_answer_where_they_are_needed_most(
    inv: Inv, database: Database, full: Database, change: str, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(PHOTOS.parents[1] / "migrations", folder)
    file = folder / "0005_add_schools.sql"
    if change == "edited":
        file.write_text(file.read_text() + "-- edited\n")
    elif change == "of another branch":
        file.unlink()
        file.with_suffix(".rollback.sql").unlink()
    else:
        with connect(database.maintenance, purpose="tests") as conn:
            execute_for(conn, "DROP DATABASE {} WITH (FORCE)", database)
    said = {
        "edited": ("Edited after being applied: 0005_add_schools", "inv reset"),
        "of another branch": ("Applied, but no longer in the folder: 0005_add_schools", "inv reset"),
        "gone database": ("does not exist", "inv full"),
    }[change]
    own = {"INVOKE_MIGRATIONS_FOLDER": str(folder)}
    status = inv("status", **own)
    assert all(word in status.stdout for word in said), status.stdout
    assert len(status.stdout.splitlines()) <= 10
    plan = inv("migrate", "--plan", check=False, **own)
    assert all(word in plan.stderr for word in said), plan.stderr
    *others, last = plan.stdout.splitlines()
    state = {
        "edited": "applied, and edited since",
        "of another branch": "applied, but no longer in the folder",
        "gone database": "pending",
    }[change]
    assert (len(others), last) == (5, f"plan       0005_add_schools {state}")
    code, report = examine(inv, **own)
    assert code == 1
    (text, remedy), *_ = found(report, "broken")
    assert said[0] in text
    assert said[1] in str(remedy)
    steps = [each["step"] for each in report["findings"]]
    assert {"settings", "credentials", "database", "collection"} <= set(steps)
