"""Commands that move a school are killed repeatedly, each time later, until one run ends with the right result.

Nothing is reset between the runs: each continues from what the earlier ones have left.
"""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import open_bucket
from eduguard.aws.local_cloud import LocalCloud
from eduguard.postgres import Database, connect, execute_for, read_value
from wires import MESSAGE, REQUEST, Fault, Turn, open_wires

ROOT = Path(__file__).parents[2]
INV = ROOT / ".venv" / "bin" / "inv"
PHOTOS = ROOT / "seed_data" / "photos"
KEY = "05" * 32
School = Any  # of conftest.py
_NUMBERS = count(1)
ROWS = """
SELECT md5(string_agg(r, '' ORDER BY r)) FROM (
    SELECT s::text AS r FROM students s UNION ALL SELECT f::text FROM student_faces f
    UNION ALL SELECT g::text FROM legal_guardians g UNION ALL SELECT e::text FROM class_enrollments e
) rows
"""

pytestmark = [pytest.mark.fault, pytest.mark.slow]


class Killer:
    """Runs commands whose messages to the database and requests to the cloud are counted, and kills them at one."""

    def __init__(self, state_folder: Path, cloud: LocalCloud, own: dict[str, str]) -> None:
        self._state, self._cloud, self._own = state_folder, cloud, own

    def run(self, database: Database, *words: str, fault: Fault | None, **more: str) -> tuple[Turn, str]:
        turn = Turn(fault)
        folder = self._state / f"k{os.getpid()}-{next(_NUMBERS)}"
        with open_wires(folder, self._state / "postgres" / "s", self._cloud.endpoint, turn) as wires:
            through = {
                "DATABASE_URL": f"postgresql://postgres@/{database.name}?host={wires.folder}&port=5432",
                "INVOKE_STATE_FOLDER": str(self._state),
                "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": wires.endpoint,
                "INVOKE_TARGETS_LOCAL_S3_ENDPOINT": wires.endpoint,
                "INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND": "null",
                "ANONYMISE_KEY": KEY,
                **{name.upper(): value for name, value in self._cloud.credentials.items()},
            }
            process = subprocess.Popen(
                [INV, *words], cwd=ROOT, env=os.environ | through | self._own | more, start_new_session=True, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            turn.begin(process)
            output, errors = process.communicate(timeout=300)
        self._await_sessions(database, wires.pids)
        folder.rmdir()
        assert process.returncode == (-9 if turn.is_struck else 0), output + errors
        return turn, output

    def kill_until_done(
        self, database: Database, *words: str, faults: Iterable[Fault], check: Callable[[], object], **more: str
    ) -> str:
        """Run the command with each fault in turn, then without one; return what the last run printed."""
        struck = 0
        for fault in faults:
            turn, _ = self.run(database, *words, fault=fault, **more)
            struck += turn.is_struck
            check()
        assert struck > 3, "hardly a run was killed"
        _, output = self.run(database, *words, fault=None, **more)
        return output

    def _await_sessions(self, database: Database, pids: list[int]) -> None:
        with connect(database.maintenance, purpose="tests") as conn:
            while read_value(conn, "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%s)", pids):
                time.sleep(0.01)


def at(kind: str, *numbers: int) -> list[Fault]:
    return [Fault(kind=kind, number=number, way=f"kill {when}") for number in numbers for when in ("before", "after")]


def rows_of(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, ROWS))


@pytest.fixture
def killer(state_folder: Path, local_cloud: LocalCloud, school: School) -> Killer:
    return Killer(
        state_folder,
        local_cloud,
        {
            "INVOKE_TARGETS_LOCAL_COLLECTION": school.name,
            "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": f"{school.name}-2",
            "INVOKE_TARGETS_LOCAL_BUCKET": school.name,
        },
    )


def links(school: School) -> dict[str, tuple[str | None, str]]:
    query = (
        "SELECT external_image_id, aws_collection_id, face_id FROM student_faces f JOIN students s ON s.id = student_id"
    )
    with connect(school.database, purpose="tests") as conn:
        return {name: (collection, face_id) for name, collection, face_id in conn.execute(query)}


def test_a_killed_switch_has_happened_whole_or_not_at_all(school: School, killer: Killer) -> None:
    school.inv("enrol", "sync-faces")
    before, new = links(school), f"{school.name}-new"

    def listed() -> dict[str, str]:
        found = school.collection.named(new)
        pages = found.list_faces() if found.describe() else ()
        return {face.external_image_id: face.face_id for page in pages for face in page}

    def check() -> None:
        made = listed()
        switched = before | {name: (new, face_id) for name, face_id in made.items()}
        assert links(school) in (before, switched)
        assert links(school) == before or len(made) == 18

    done = killer.kill_until_done(
        school.database, "reindex", "--school", "school-001", "--into", new, "--yes",
        faults=[*at(REQUEST, 1, 4, 7, 12), *at(MESSAGE, 4, 12, 18, 22, 25, 28, 31)], check=check,
    )  # fmt: skip
    assert re.search("18 rows (and 6 students switched|belong to it already)", done)
    check()
    assert links(school) != before
    assert school.faces() == sorted((name, face) for name, (_, face) in before.items() if name in listed())
    assert "8 of 8 photos recognised" in school.inv("verify", "--one-each").stdout


def test_killed_portraits_are_drawn_each_once(school: School, killer: Killer) -> None:
    done = killer.kill_until_done(
        school.database, "photos", "draw",
        faults=[*at(MESSAGE, 3), *at(REQUEST, 1, 5, 9, 20, 30)], check=lambda: None,
    )  # fmt: skip
    assert re.search(r"\d+ portraits drawn, \d+ were there", done)
    assert "0 portraits drawn, 24 were there" in school.inv("photos", "draw").stdout
    assert school.inv("photos", "check").stdout.startswith("photos     24 photos of rows: 0 missing, 0 extra")
    faces = {(key.split("/")[1], school.bucket.read_metadata(key)["face"]) for key in school.bucket.sizes()}
    assert len(faces) == 8, "a student has one face in all photos"


def test_killed_copies_end_as_the_source_has_them(school: School, killer: Killer, local_cloud: LocalCloud) -> None:
    source = open_bucket(f"{school.name}-source", **school.access)
    source.ensure_exists()
    for file in (PHOTOS / "students").rglob("*.jpg"):
        source.put(file.relative_to(PHOTOS).as_posix(), file.read_bytes(), {"taken": "2026"})
    before = source.list_objects()

    def check() -> None:
        assert source.list_objects() == before

    done = killer.kill_until_done(
        school.database, "photos", "copy", "--from", "staging", "--confirm-bucket", school.name,
        faults=[*at(MESSAGE, 3), *at(REQUEST, 1, 3, 8, 15, 25)], check=check,
        INVOKE_TARGETS_STAGING_S3_ENDPOINT=local_cloud.endpoint, INVOKE_TARGETS_STAGING_BUCKET=source.name,
        INVOKE_TARGETS_STAGING_BUCKET_REGION="us-east-1",
    )  # fmt: skip
    assert re.search(r"\d+ photos \(\d\.\d MB\) copied, \d+ the same on both sides\n", done)
    assert school.bucket.list_objects() == source.list_objects() == before
    assert {school.bucket.read_metadata(key)["taken"] for key in before} == {"2026"}


def test_a_killed_load_leaves_the_live_database_until_it_is_whole(
    school: School, killer: Killer, tmp_path: Path
) -> None:
    live, folder = school.database, tmp_path / "export"
    school.inv("export", str(folder), ANONYMISE_KEY=KEY)
    before = rows_of(live)

    def check() -> None:
        assert rows_of(live) == before

    done = killer.kill_until_done(
        live, "load", str(folder), "--confirm", live.name,
        faults=[*at(MESSAGE, 8, 20), *[fault for number in (40, 70, 100) for fault in at(MESSAGE, number)[:1]]],
        check=check,
    )  # fmt: skip
    assert "`inv undo` brings the database before back" in done
    loaded = rows_of(live)
    assert loaded != before
    school.inv("undo")
    check()
    school.inv("undo")
    assert rows_of(live) == loaded


def test_a_killed_port_ends_when_it_is_run_again_and_production_is_never_written(
    school: School, killer: Killer, relay: Any
) -> None:
    production, asked = school.database, Counter[str]()
    target, before = production.named(f"{production.name}_elsewhere"), rows_of(production)

    def note(handler: Any, _: bytes) -> None:
        asked[handler.command] += 1

    def check() -> None:
        assert rows_of(production) == before

    far = relay(note)
    more = {
        "INVOKE_TARGETS_PRODUCTION_DATABASE_URL": production.url,
        "INVOKE_TARGETS_PRODUCTION_REKOGNITION_ENDPOINT": far,
        "INVOKE_TARGETS_PRODUCTION_S3_ENDPOINT": far,
        "INVOKE_TARGETS_PRODUCTION_BUCKET": "production",
    }
    words = ("port", "--from", "production", "--yes", "--confirm", target.name)
    faults = [fault for number in (10, 60, 110) for fault in at(MESSAGE, number)[:1]]
    faults += [fault for number in (6, 30, 60, 80) for fault in at(REQUEST, number)[:1]]
    try:
        done = killer.kill_until_done(target, *words, faults=faults, check=check, **more)
        assert done.splitlines()[-1].startswith("port ")
        check()
        assert not asked, "neither bucket nor collection of production was asked for anything"
        with connect(target, purpose="tests") as conn:
            waiting = "SELECT count(*) FROM student_faces WHERE face_id = 'placeholder'"
            assert read_value(conn, waiting) == 0
            assert read_value(conn, "SELECT count(*) FROM student_faces") == 24
    finally:
        with connect(target.maintenance, purpose="tests") as conn:
            for each in (target, target.next, target.previous, target.discarded):
                execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)
