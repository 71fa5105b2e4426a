"""A school is copied from one target to another; each has its own database and local cloud."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database, connect
from localcloud import testing

Inv = Callable[..., subprocess.CompletedProcess[str]]

STUDENTS = "SELECT md5(string_agg(s::text, '' ORDER BY id)), count(*) FROM students s"
FACES = "SELECT md5(string_agg(f::text, '' ORDER BY id)), count(*) FROM student_faces f"
HELD = "SELECT external_image_id, face_id FROM student_faces ORDER BY 1"
WAITING = "SELECT count(*) FROM student_faces WHERE face_id = 'placeholder'"
RUTS = "SELECT rut FROM students UNION SELECT rut FROM legal_guardians"


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[testing.RunningCloud]:
    """A second local cloud."""
    with testing.running() as cloud:
        yield cloud


class Road:
    """Copy from target production, which refuses every change, to target staging; count the requests to production."""

    def __init__(self, inv: Inv, source: Database, target: Database, environment: dict[str, str]) -> None:
        self.source, self.target, self.asked = source, target, Counter[str]()
        self._inv, self._environment = inv, environment

    def port(self, *flags: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return self._inv("port", "--from", "production", *flags, **(self._environment | more))

    def count(self, handler: Any, _: bytes) -> None:
        target = handler.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.asked[target or handler.command] += 1


def ask(database: Database, query: Any) -> Any:
    with connect(database, purpose="tests") as conn:
        return conn.execute(query).fetchall()


@pytest.fixture
def road(
    run_inv: Callable[[Database], Inv],
    full: Database,
    elsewhere: testing.RunningCloud,
    relay: Callable[[Any], str],
    cloud_variables: dict[str, str],
    tmp_path: Path,
) -> Road:
    keys = {"near": elsewhere.variables, "far": cloud_variables}
    credentials = tmp_path / "credentials"
    credentials.write_text(
        "".join(
            f"[{name}]\naws_access_key_id = {of['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {of['AWS_SECRET_ACCESS_KEY']}\n"
            for name, of in keys.items()
        )
    )
    target = full.named(f"{full.name}_next_door")
    road = Road(run_inv(target), full, target, {})
    far, name = relay(road.count), full.name.replace("_", "-")
    road._environment = {
        "INVOKE_TARGET": "staging",
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "INVOKE_TARGETS_STAGING_REKOGNITION_ENDPOINT": elsewhere.endpoint,
        "INVOKE_TARGETS_STAGING_S3_ENDPOINT": elsewhere.endpoint,
        "INVOKE_TARGETS_STAGING_AWS_PROFILE": "near",
        "INVOKE_TARGETS_STAGING_COLLECTION": name,
        "INVOKE_TARGETS_STAGING_COLLECTIONS_SCHOOL_002": f"{name}-2",
        "INVOKE_TARGETS_STAGING_BUCKET": name,
        "INVOKE_TARGETS_STAGING_REQUESTS_PER_SECOND": "null",
        "INVOKE_TARGETS_PRODUCTION_DATABASE_URL": full.url,
        "INVOKE_TARGETS_PRODUCTION_REKOGNITION_ENDPOINT": far,
        "INVOKE_TARGETS_PRODUCTION_S3_ENDPOINT": far,
        "INVOKE_TARGETS_PRODUCTION_AWS_PROFILE": "far",
        "INVOKE_TARGETS_PRODUCTION_BUCKET": "tests",
    }
    return road


def test_a_school_goes_without_its_people_and_attendance_works_at_once(road: Road) -> None:
    before = [ask(road.source, query) for query in (STUDENTS, FACES)]
    plan = road.port("--dry-run").stdout
    assert "24 photos to index" in plan
    done = road.port("--yes", "--confirm", road.target.name)
    steps = [line.split()[0] for line in done.stdout.splitlines()]
    assert [step for step, after in zip(steps, [*steps[1:], ""], strict=True) if step != after] == [
        "export", "leak", "export", "load", "draw", "reindex", "plan", "sync", "verify", "port",
    ]  # fmt: skip
    assert [ask(road.source, query) for query in (STUDENTS, FACES)] == before
    assert not road.asked, "neither bucket nor collection of production was asked for anything"
    ruts = {rut for (rut,) in ask(road.target, RUTS)}
    assert ruts.isdisjoint(rut for (rut,) in ask(road.source, RUTS))
    assert ask(road.target, WAITING) == [(0,)]
    again = road.port("--yes", "--confirm", road.target.name).stdout
    assert "0 to index" in again
    assert len(ask(road.target, HELD)) == len(ask(road.source, HELD))


@pytest.mark.slow
def test_people_go_only_after_every_name_is_typed_and_production_is_only_read(road: Road) -> None:
    refused = road.port("--plain", "--yes", "--confirm", road.target.name, check=False)
    assert refused.returncode == 1
    assert f"--confirm-plain {road.source.name}" in refused.stderr
    bucket = road._environment["INVOKE_TARGETS_STAGING_BUCKET"]
    road.port(
        "--plain",
        "--yes",
        "--confirm",
        road.target.name,
        "--confirm-plain",
        road.source.name,
        "--confirm-bucket",
        bucket,
    )
    assert set(road.asked) <= {"GET", "HEAD"}
    assert ask(road.target, STUDENTS) == ask(road.source, STUDENTS)
    assert ask(road.target, HELD) != ask(road.source, HELD), "a FaceId is of one collection"
    assert ask(road.target, WAITING) == [(0,)]


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"INVOKE_TARGETS_PRODUCTION_DATABASE_URL": "DATABASE"}, "database .* is that of both"),
        pytest.param(
            {"INVOKE_TARGETS_PRODUCTION_S3_ENDPOINT": "NEAR", "INVOKE_TARGETS_PRODUCTION_BUCKET": "BUCKET"},
            "one bucket",
            marks=pytest.mark.slow,  # test_copied_photos.py also tries it
        ),
        (
            {
                "INVOKE_TARGETS_PRODUCTION_REKOGNITION_ENDPOINT": "NEAR",
                "INVOKE_TARGETS_PRODUCTION_AWS_PROFILE": "near",
                "INVOKE_TARGETS_PRODUCTION_COLLECTION": "BUCKET",
            },
            "collection .* is that of both",
        ),
    ],
    ids=["database", "bucket", "collection"],
)
def test_a_target_is_not_taken_to_itself(road: Road, variables: dict[str, str], reason: str) -> None:
    names = {
        "DATABASE": road.target.url,
        "NEAR": road._environment["INVOKE_TARGETS_STAGING_S3_ENDPOINT"],
        "BUCKET": road._environment["INVOKE_TARGETS_STAGING_BUCKET"],
    }
    with connect(road.source.maintenance, purpose="tests") as conn:
        before = conn.execute("SELECT datname FROM pg_database").fetchall()
        refused = road.port(
            *("--yes", "--confirm", road.target.name),
            check=False,
            **{name: names.get(value, value) for name, value in variables.items()},
        )
        assert refused.returncode == 1
        assert re.search(reason, refused.stderr), refused.stderr
        assert conn.execute("SELECT datname FROM pg_database").fetchall() == before
