"""If a listing fails in any way, all rows are synced or none is, and the next sync completes the work."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import rekognition
from eduguard.aws.rekognition import Collection, open_collection
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect
from eduguard.progress import Progress, Step
from eduguard.schools import Place
from eduguard.sync import Options, Outcome, run

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "seed_data" / "photos" / "students"
NAME = "faults"

Sync = Callable[..., Outcome]
Faults = Callable[..., None]


@pytest.fixture(scope="module")
def faces(client: Any) -> dict[str, str]:
    """The FaceIds of a collection with a face for every row of the seeds, by external image id."""
    client.create_collection(CollectionId=NAME)
    made = {}
    for photo in sorted(PHOTOS.glob("student-00?/photo-*.jpg")):
        external = f"{photo.parent.name}-{photo.stem}"
        answer = client.index_faces(CollectionId=NAME, Image={"Bytes": photo.read_bytes()}, ExternalImageId=external)
        made[external] = answer["FaceRecords"][0]["Face"]["FaceId"]
    return made


@pytest.fixture
def collection(faces: dict[str, str], cloud_access: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Collection:
    """The same collection, listed on five pages."""
    assert len(faces) == 18
    monkeypatch.setattr(rekognition, "PAGE_SIZE", 4)
    return open_collection(NAME, **cloud_access)


@pytest.fixture
def sync(school: Database) -> Sync:
    def once(collection: Collection, progress: Progress | None = None) -> Outcome:
        with connect(school, purpose="sync") as conn:
            return run(
                conn,
                Place(collection=NAME, school="school-001"),
                collection,
                Options(),
                ask=lambda _: None,
                show=lambda _: None,
                progress=progress or Progress(),
            )

    return once


@pytest.fixture
def expect_untouched(
    sync: Sync, collection: Collection, school: Database, faces: dict[str, str], faults: Faults
) -> Any:
    """Expect one error and unchanged rows, and success after the fault has ended."""

    def expect(message: str, listed: Collection = collection) -> EduguardError:
        with pytest.raises(EduguardError, match=message) as raised:
            sync(listed)
        assert set(held(school).values()) == {"placeholder"}
        faults()
        sync(collection)
        assert held(school) == faces
        return raised.value

    return expect


def held(school: Database) -> dict[str, str]:
    with connect(school, purpose="tests") as conn:
        return dict(
            conn.execute(
                "SELECT external_image_id, face_id FROM student_faces WHERE student_id LIKE 'student-00_'"
            ).fetchall()
        )


class Meanwhile(Progress):
    """Progress that does something once, after the first page."""

    def __init__(self, action: Callable[[], object]) -> None:
        super().__init__()
        self._action: Callable[[], object] | None = action

    def begin(self, name: str, total: int, unit: str) -> Step:
        step = super().begin(name, total, unit)

        def wait_for(_: str) -> None:
            action, self._action = self._action, None
            if action:
                action()

        step.wait_for = wait_for  # type: ignore[method-assign]
        return step


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"throttle": 2}, id="throttled, 400"),
        pytest.param({"throttle": 2, "throttle_as": "ThrottlingException 500"}, id="throttled, 500"),
        pytest.param({"throttle": 2, "throttle_as": "ProvisionedThroughputExceededException"}, id="over the quota"),
        pytest.param({"fail": 2}, id="server errors"),
        pytest.param({"drop": 2}, id="dropped connections"),
        pytest.param({"cut": 1}, id="an answer that breaks off"),
    ],
)
def test_what_passes_in_the_middle_of_a_listing_loses_no_face(
    sync: Sync, collection: Collection, school: Database, faces: dict[str, str], faults: Faults, fault: dict[str, Any]
) -> None:
    faults(**fault, operation="ListFaces", after=2)
    assert len(sync(collection).plan.link) == len(faces)
    assert held(school) == faces
    assert sync(collection).plan.unchanged == len(faces)


@pytest.mark.sampled("server errors", "dropped connections", "broken answers", "expired credentials", "permission")
@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        ({"throttle": 99}, "AWS would not list the faces .* ThrottlingException", None),
        ({"fail": 99}, "AWS would not list the faces .* InternalServerError", None),
        ({"drop": 99}, "Could not list the faces .* Connection was closed", "inv status"),
        ({"cut": 99}, "the listing of collection faults in us-east-1 broke off", None),
        ({"expire": 99}, "AWS would not list the faces .* ExpiredTokenException", "aws sso login"),
        ({"deny": 99}, "AWS would not list the faces .* AccessDeniedException", "inv doctor --iam"),
    ],
    ids=["throttled", "server errors", "dropped connections", "broken answers", "expired credentials", "permission"],
)
def test_what_stays_in_the_middle_of_a_listing_is_one_error_and_touches_no_row(
    expect_untouched: Any, faults: Faults, fault: dict[str, Any], message: str, hint: str | None
) -> None:
    faults(**fault, operation="ListFaces", after=2)
    error = expect_untouched(message)
    assert hint is None or hint in str(error)


def test_an_answer_that_breaks_off_is_never_taken_for_the_end(expect_untouched: Any, faults: Faults) -> None:
    faults(cut=99, operation="DescribeCollection")
    expect_untouched("What is said of collection faults .* is not as Rekognition says it")


@pytest.mark.slow
def test_an_answer_that_does_not_come_is_one_error(
    expect_untouched: Any, faults: Faults, cloud_access: dict[str, Any]
) -> None:
    hasty = open_collection(NAME, **cloud_access, read_timeout=0.5)
    faults(latency=1.5, operation="ListFaces", after=1)
    expect_untouched("Could not list the faces .* Read timeout", hasty)


def test_a_face_indexed_or_deleted_between_two_pages_is_not_a_failure(
    sync: Sync, collection: Collection, client: Any, school: Database, faces: dict[str, str]
) -> None:
    picture = (PHOTOS / "student-001" / "photo-1.jpg").read_bytes()
    gone = faces["student-006-photo-3"]

    def change() -> None:
        client.delete_faces(CollectionId=NAME, FaceIds=[gone])
        client.index_faces(CollectionId=NAME, Image={"Bytes": picture}, ExternalImageId="late-photo-1")

    try:
        sync(collection, Meanwhile(change))
        plan = sync(collection).plan
        assert (len(plan.missing), len(plan.orphan), plan.unchanged) == (1, 1, 17)
        assert {name for name, face in held(school).items() if face != faces[name]} <= {"student-006-photo-3"}
    finally:
        late = [face.face_id for page in collection.list_faces() for face in page if face.face_id not in faces.values()]
        client.delete_faces(CollectionId=NAME, FaceIds=late)
        picture = (PHOTOS / "student-006" / "photo-3.jpg").read_bytes()
        answer = client.index_faces(CollectionId=NAME, Image={"Bytes": picture}, ExternalImageId="student-006-photo-3")
        faces["student-006-photo-3"] = answer["FaceRecords"][0]["Face"]["FaceId"]
    sync(collection)
    assert held(school) == faces


def test_a_database_that_goes_away_while_faces_are_listed_keeps_its_rows(
    sync: Sync, collection: Collection, school: Database, faces: dict[str, str]
) -> None:
    def end_sessions() -> None:
        with connect(school.maintenance, purpose="tests") as conn:
            conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [school.name])

    with pytest.raises(EduguardError, match="Nothing half-done is left"):
        sync(collection, Meanwhile(end_sessions))
    assert set(held(school).values()) == {"placeholder"}
    sync(collection)
    assert held(school) == faces


def test_pages_that_botocore_parses_by_its_own_model_are_the_same(collection: Collection, client: Any) -> None:
    own = Collection(client, NAME)
    assert list(own.list_faces()) == list(collection.list_faces())


def test_two_syncs_at_once_both_end_well(
    sync: Sync, collection: Collection, cloud_access: dict[str, Any], school: Database, faces: dict[str, str]
) -> None:
    other = open_collection(NAME, **cloud_access)
    second = threading.Thread(target=lambda: sync(other))

    def start_and_finish() -> None:
        second.start()
        second.join()

    outcome = sync(collection, Meanwhile(start_and_finish))
    assert outcome.plan.unchanged == len(faces)
    assert held(school) == faces
