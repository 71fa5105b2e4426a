"""A sync writes what it showed, whatever the collection, the network and the database do in the meantime."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import rekognition
from eduguard.aws.rekognition import Collection, open_collection
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect
from eduguard.progress import Progress, Step
from eduguard.schools import Place, Scope, find_students
from eduguard.sync import apply
from eduguard.sync.comparison import read_rows
from eduguard.sync.plan import FaceRow, Plan, pair_up, plan_sync
from eduguard.sync.run import Options, Outcome
from eduguard.sync.run import run as run_sync

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "seed_data" / "photos" / "students"
KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
_NUMBERS = count(1)

Enrol = Callable[..., Collection]
Sync = Callable[..., Outcome]


@pytest.fixture
def enrol(client: Any, cloud_access: dict[str, Any]) -> Iterator[Enrol]:
    """Make a collection with the faces of photos, given as external image id = student/number."""
    made = []

    def make(**photos: str) -> Collection:
        made.append(f"sync-{next(_NUMBERS)}")
        client.create_collection(CollectionId=made[-1])
        for external, photo in photos.items():
            student, number = photo.split("/")
            picture = (PHOTOS / f"student-{student}" / f"photo-{number}.jpg").read_bytes()
            client.index_faces(CollectionId=made[-1], Image={"Bytes": picture}, ExternalImageId=external)
        return open_collection(made[-1], **cloud_access)

    yield make
    for name in made:
        client.delete_collection(CollectionId=name)


@pytest.fixture(scope="module")
def whole(client: Any, cloud_access: dict[str, Any]) -> Collection:
    """A collection with a face for every row of the seeds; no test changes it."""
    client.create_collection(CollectionId="whole")
    for student in range(1, 7):
        for number in range(1, 4):
            picture = (PHOTOS / f"student-00{student}" / f"photo-{number}.jpg").read_bytes()
            client.index_faces(
                CollectionId="whole", Image={"Bytes": picture}, ExternalImageId=f"student-00{student}-photo-{number}"
            )
    return open_collection("whole", **cloud_access)


class Seen(Progress):
    """What a waiting user sees."""

    def __init__(self, on_expiry: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.told: list[str] = []
        self._on_expiry = on_expiry

    def begin(self, name: str, total: int, unit: str) -> Step:
        step, tell = super().begin(name, total, unit), self.told.append

        def wait_for(what: str) -> None:
            tell(f"{name}: {step.done} of {total} {unit}, waiting for {what}")
            if "expired" in what:
                self._on_expiry()

        step.wait_for = wait_for  # type: ignore[method-assign]
        return step


def silent(_: str) -> str | None:
    return None


@pytest.fixture
def run(school: Database) -> Sync:
    def sync_once(
        collection: Collection, *, ask: Any = silent, show: Any = None, progress: Any = None, **options: Any
    ) -> Outcome:
        with connect(school, purpose="sync") as conn:
            return run_sync(
                conn,
                Place(collection=collection.name, school="school-001"),
                collection,
                Options(**options),
                ask=ask,
                show=show or (lambda _: None),
                progress=progress or Progress(),
            )

    return sync_once


def held(school: Database) -> dict[str, str]:
    query = "SELECT external_image_id, face_id FROM student_faces WHERE student_id LIKE 'student-00_'"
    with connect(school, purpose="tests") as conn:
        return dict(conn.execute(query).fetchall())


def counts(outcome: Outcome) -> dict[str, int]:
    return {kind: number for kind, number in outcome.plan.counts().items() if number}


def execute(school: Database, query: Any) -> None:
    with connect(school, purpose="tests") as conn:
        conn.execute(query)


def test_every_row_gets_its_face_and_a_second_run_changes_nothing(
    run: Sync, whole: Collection, school: Database
) -> None:
    assert counts(run(whole)) == {"link": 18}
    faces = {face.external_image_id: face.face_id for page in whole.list_faces() for face in page}
    assert held(school) == faces
    assert counts(run(whole)) == {"unchanged": 18}


def test_a_dry_run_writes_nothing(run: Sync, whole: Collection, school: Database) -> None:
    assert counts(run(whole, dry_run=True)) == {"link": 18}
    assert set(held(school).values()) == {"placeholder"}


def test_rows_that_hold_each_others_face_get_their_own_back(run: Sync, whole: Collection, school: Database) -> None:
    run(whole)
    right = held(school)
    execute(
        school,
        "CREATE TEMP TABLE a AS SELECT * FROM student_faces WHERE student_id = 'student-001';"
        "UPDATE student_faces SET face_id = 'placeholder' WHERE student_id = 'student-001';"
        "UPDATE student_faces f SET face_id = a.face_id FROM a WHERE f.student_id = 'student-001' "
        "AND right(a.id, 1)::int % 3 + 1 = right(f.id, 1)::int",
    )
    assert held(school) != right
    assert counts(run(whole)) == {"relink": 3, "unchanged": 15}
    assert held(school) == right


def test_pages_are_followed_to_the_last(run: Sync, whole: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rekognition, "PAGE_SIZE", 4)
    seen = Seen()
    assert counts(run(whole, progress=seen)) == {"link": 18}
    assert seen.told == [
        *[f"whole: {done} of 18 faces, waiting for page {page}" for page, done in enumerate((4, 8, 12, 16, 18), 2)]
    ]


def test_a_listing_that_expires_is_started_again_once(
    run: Sync, whole: Collection, faults: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rekognition, "PAGE_SIZE", 4)
    faults(token_lifetime=0.000001)
    seen = Seen(on_expiry=faults)
    assert counts(run(whole, progress=seen)) == {"link": 18}
    assert (
        "whole: 0 of 18 faces, waiting for page 1 again: the listing of collection whole in us-east-1 expired"
        in seen.told
    )


def test_a_listing_that_expires_twice_is_one_error(
    run: Sync, whole: Collection, faults: Callable[..., None], school: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rekognition, "PAGE_SIZE", 4)
    faults(token_lifetime=0.000001)
    with pytest.raises(EduguardError, match="the listing of collection whole in us-east-1 expired"):
        run(whole)
    assert set(held(school).values()) == {"placeholder"}


@pytest.mark.parametrize("fault", ["throttle", "fail"])
def test_throttling_and_server_errors_lose_no_face(
    run: Sync, whole: Collection, faults: Callable[..., None], fault: str
) -> None:
    faults(**{fault: 2, "operation": "ListFaces"})
    assert counts(run(whole)) == {"link": 18}


@pytest.mark.slow
def test_a_service_that_keeps_failing_leaves_the_rows_alone(
    run: Sync,
    client: Any,
    faults: Callable[..., None],
    school: Database,
    cloud_access: dict[str, Any],
    whole: Collection,
) -> None:
    run(whole)
    before = held(school)
    faults(fail=100, operation="ListFaces")
    with pytest.raises(EduguardError, match="AWS would not list the faces of collection whole .* InternalServerError"):
        run(whole)
    assert held(school) == before


@pytest.mark.slow
def test_an_endpoint_that_does_not_answer_is_named(run: Sync) -> None:
    nowhere = open_collection("whole", region="us-east-1", endpoint="http://127.0.0.1:9", credentials=KEYS)
    with pytest.raises(EduguardError, match="Could not describe collection whole in us-east-1 at http://127.0.0.1:9"):
        run(nowhere)


def test_a_database_that_goes_away_before_the_commit_keeps_its_rows(
    run: Sync, whole: Collection, school: Database
) -> None:
    def end_sessions(_: Plan) -> None:
        with connect(school.maintenance, purpose="tests") as conn:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [school.name])

    with pytest.raises(EduguardError, match="Nothing half-done is left"):
        run(whole, show=end_sessions)
    assert set(held(school).values()) == {"placeholder"}


def test_a_row_that_changed_since_the_plan_makes_it_stale(run: Sync, whole: Collection, school: Database) -> None:
    def change(_: Plan) -> None:
        execute(school, "UPDATE student_faces SET face_id = 'somebody else' WHERE id = 'face-001-1'")

    with pytest.raises(EduguardError, match="The plan is stale: 1 of 18 rows changed meanwhile"):
        run(whole, show=change)
    assert sorted(set(held(school).values())) == ["placeholder", "somebody else"]


def test_a_wrong_collection_is_refused_with_the_numbers(
    run: Sync, whole: Collection, enrol: Enrol, school: Database
) -> None:
    run(whole)
    before = held(school)
    wrong = enrol(**{"student-001-photo-1": "001/1"})
    with pytest.raises(EduguardError) as raised:
        run(wrong)
    assert (
        f"18 of 18 linked rows would be relinked or find no face: arn:aws:rekognition:us-east-1:123456789012:collection/{wrong.name} has 1 face"
        in str(raised.value)
    )
    assert f"--confirm-collection {wrong.name}" in str(raised.value)
    assert held(school) == before
    assert counts(run(wrong, confirm=wrong.name)) == {"relink": 1, "missing": 17}
    assert run(wrong, ask=lambda _: wrong.name).plan.unchanged == 1


def test_rows_go_back_to_the_placeholder_only_when_asked(
    run: Sync, enrol: Enrol, whole: Collection, school: Database
) -> None:
    run(whole)
    small = enrol(**{"student-001-photo-1": "001/1"})
    run(small, confirm=small.name)
    assert "placeholder" not in held(school).values()
    run(small, confirm=small.name, unlink_missing=True)
    assert sum(face == "placeholder" for face in held(school).values()) == 17


def test_a_dry_run_shows_which_rows_would_go_back_to_the_placeholder(
    run: Sync, enrol: Enrol, whole: Collection, school: Database
) -> None:
    run(whole)
    before = held(school)
    small = enrol(**{"student-001-photo-1": "001/1"})
    items = list(run(small, dry_run=True, unlink_missing=True).plan.items())
    assert sum("back to the placeholder" in str(item) for item in items) == 17
    assert held(school) == before


@pytest.mark.parametrize(("changed", "is_refused"), [(5, False), (6, True)], ids=["27 per cent", "33 per cent"])
def test_rows_of_another_face_are_written_unless_they_are_too_many(
    run: Sync, whole: Collection, school: Database, changed: int, is_refused: bool
) -> None:
    run(whole)
    right = held(school)
    execute(
        school,
        "UPDATE student_faces SET face_id = 'old ' || id WHERE id IN "
        f"(SELECT id FROM student_faces ORDER BY id LIMIT {changed})",
    )
    if is_refused:
        with pytest.raises(EduguardError, match="6 of 18 linked rows would be relinked or find no face"):
            run(whole)
    else:
        run(whole)
    assert (held(school) == right) is not is_refused


def test_one_student_or_grade_is_synced_alone(run: Sync, whole: Collection, school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        one, grade = find_students(conn, "student-002", ""), find_students(conn, "", "grade-1b")
        with pytest.raises(EduguardError, match="There is no student nobody"):
            find_students(conn, "nobody", "")
        with pytest.raises(EduguardError, match="There is no student in grade grade-9"):
            find_students(conn, "", "grade-9")
    assert counts(run(whole, students=one)) == {"link": 3}
    assert counts(run(whole, students=grade)) == {"link": 15, "unchanged": 3}


def test_only_rows_of_the_collections_own_students_are_compared(run: Sync, whole: Collection, school: Database) -> None:
    execute(school, "UPDATE students SET aws_collection_id = 'elsewhere' WHERE id = 'student-003'")
    assert counts(run(whole)) == {"link": 15, "orphan": 3}


def test_orphans_are_adopted_where_the_student_is_known(run: Sync, enrol: Enrol, school: Database) -> None:
    collection = enrol(**{"student-001-photo-9": "001/1", "nobody-photo-1": "002/1", "student-002-photo-1": "002/2"})
    outcome = run(collection, adopt=True)
    assert (counts(outcome)["orphan"], outcome.adopted) == (2, 1)
    assert held(school)["student-001-photo-9"] != "placeholder"
    assert counts(run(collection))["orphan"] == 1


@pytest.mark.parametrize(
    ("kind", "external"),
    [("orphans", "nobody-photo-1"), ("temporary", "temp_attendance_1"), ("duplicates", "student-001-photo-1")],
)
def test_faces_are_pruned_only_with_consent_and_never_one_in_use(
    run: Sync, enrol: Enrol, client: Any, school: Database, kind: str, external: str
) -> None:
    collection = enrol(**{"student-001-photo-1": "001/1", "other": "003/1"})
    picture = (PHOTOS / "student-001" / "photo-2.jpg").read_bytes()
    client.index_faces(CollectionId=collection.name, Image={"Bytes": picture}, ExternalImageId=external)
    with pytest.raises(EduguardError, match=f"1 {kind} were not deleted"):
        run(collection, prune=kind)
    before = {face.face_id for page in collection.list_faces() for face in page}
    assert run(collection, prune=kind, ask=lambda _: collection.name).pruned == 1
    after = {face.face_id for page in collection.list_faces() for face in page}
    assert len(before - after) == 1
    assert held(school)["student-001-photo-1"] in after


def test_a_prune_of_most_faces_asks_for_the_collections_name_whatever_the_rows(
    run: Sync, enrol: Enrol, school: Database
) -> None:
    collection = enrol(**{f"student-00{number}-photo-1": f"00{number}/1" for number in range(1, 5)})
    execute(school, "DELETE FROM student_faces")
    for answer in ("y", None, "wrong"):
        with pytest.raises(EduguardError, match="4 orphans were not deleted from .*: 4 of its 4 faces") as raised:
            run(collection, prune="orphans", ask=lambda _, said=answer: said)
        assert f"--confirm-collection {collection.name}" in str(raised.value)
    assert sum(map(len, collection.list_faces())) == 4
    assert run(collection, prune="orphans", confirm=collection.name).pruned == 4


def test_few_orphans_are_pruned_with_a_plain_yes(run: Sync, enrol: Enrol, school: Database) -> None:
    collection = enrol(**{f"student-00{number}-photo-1": f"00{number}/1" for number in range(1, 5)})
    execute(school, "DELETE FROM student_faces WHERE id = 'face-004-1'")
    assert run(collection, prune="orphans", ask=lambda _: "y").pruned == 1


def test_a_face_that_a_row_has_taken_since_the_question_stays(run: Sync, enrol: Enrol, school: Database) -> None:
    collection = enrol(**{f"student-00{number}-photo-1": f"00{number}/1" for number in range(1, 5)})
    execute(school, "DELETE FROM student_faces WHERE id = 'face-004-1'")

    def answer(_: str) -> str:
        (face,) = [f for page in collection.list_faces() for f in page if f.external_image_id == "student-004-photo-1"]
        execute(
            school,
            "INSERT INTO student_faces (id, student_id, external_image_id, face_id, photo_url)"
            f" VALUES ('new', 'student-004', 'student-004-photo-1', '{face.face_id}', 'key')",
        )
        return "y"

    assert run(collection, prune="orphans", ask=answer).pruned == 0
    assert sum(map(len, collection.list_faces())) == 4


def test_a_prune_waits_for_the_enrolment_of_the_same_student(run: Sync, enrol: Enrol, school: Database) -> None:
    collection = enrol(**{f"student-00{number}-photo-1": f"00{number}/1" for number in range(1, 5)})
    execute(school, "DELETE FROM student_faces WHERE id = 'face-004-1'")
    with ThreadPoolExecutor(1) as thread, connect(school, purpose="tests") as conn:
        with conn.transaction():
            conn.execute("SELECT FROM students WHERE id = 'student-004' FOR NO KEY UPDATE")
            pruned = thread.submit(run, collection, prune="orphans", ask=lambda _: "y")
            while not conn.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
                assert not pruned.done()
            conn.execute(
                "INSERT INTO student_faces (id, student_id, external_image_id, photo_url)"
                " VALUES ('new', 'student-004', 'student-004-photo-1', 'key')"
            )
        with pytest.raises(EduguardError, match="1 row changed during the sync"):
            pruned.result()
    assert sum(map(len, collection.list_faces())) == 4


def test_what_row_security_hides_is_an_error_and_nothing_is_pruned(enrol: Enrol, school: Database) -> None:
    collection = enrol(**{f"student-00{number}-photo-1": f"00{number}/1" for number in range(1, 5)})
    role = f"limited_{os.getpid()}"
    execute(
        school,
        f"CREATE ROLE {role} LOGIN; ALTER TABLE student_faces ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON student_faces USING (student_id = current_setting('school.student', true));"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    )
    limited = replace(school, url=school.url.replace("user=postgres", f"user={role}"))
    try:
        with (
            pytest.raises(EduguardError, match="row-level security policy") as raised,
            connect(limited, purpose="sync") as conn,
        ):
            run_sync(
                conn,
                Place(collection=collection.name, school="school-001"),
                collection,
                Options(prune="orphans", confirm=collection.name),
                ask=lambda _: "y",
                show=lambda _: None,
                progress=Progress(),
            )
        assert f"ALTER ROLE {role} BYPASSRLS" in str(raised.value)
        assert sum(map(len, collection.list_faces())) == 4
    finally:
        execute(school, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_an_unknown_kind_to_prune_is_refused() -> None:
    with pytest.raises(EduguardError, match="--prune everything"):
        Options(prune="everything")


def test_applying_nothing_touches_no_row(school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        plan = plan_sync(pair_up([FaceRow(external_image_id="a-photo-1", face_id="f")], []))
        apply.apply_plan(conn, plan)
        assert len(read_rows(conn, Scope(place=Place(collection="any", school="school-001")))) == 18
