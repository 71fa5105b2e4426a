"""What the database leaves out of a plan, and what of it reaches Python, add up to the pure plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from eduguard import comparison, migrations, sync
from eduguard.comparison import Scope
from eduguard.database import Database, connect, execute_for
from eduguard.errors import EduguardError
from eduguard.faces import PLACEHOLDER, Change, Face, FaceRow, Plan, plan_sync

ROOT = Path(__file__).parents[2]
ALL = Scope(collection="any")
IDS = st.integers(min_value=1, max_value=6).map(lambda n: f"s-photo-{n}")
FACE_IDS = [f"f{n}" for n in range(1, 7)]
ROWS = st.lists(
    st.builds(FaceRow, IDS, st.just(PLACEHOLDER) | st.sampled_from(FACE_IDS)), unique_by=lambda r: r.external_image_id
).filter(lambda rows: len({r.face_id for r in rows} - {PLACEHOLDER}) == sum(r.face_id != PLACEHOLDER for r in rows))
FACES = st.lists(
    st.builds(
        Face,
        st.sampled_from(FACE_IDS),
        IDS | st.none() | st.sampled_from(["temp_attendance_1", "S-photo-1", "other"]),
        st.sampled_from([90.0, 99.0]),
    ),
    unique_by=lambda f: f.face_id,
)


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with connect(database.maintenance, purpose="tests") as admin:
        execute_for(admin, "CREATE DATABASE {} TEMPLATE template0", database)
    migrations.apply(database, ROOT / "migrations")
    with connect(database, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO stages VALUES ('stage', 'stage', 1);"
            "INSERT INTO grades VALUES ('grade', 'stage', 'grade', 1);"
            "INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('g', '11111111-1', 'a', 'b');"
        )
        add_student(conn, "s")
        yield conn


def add_student(conn: Connection, student: str, collection: str = "unnamed") -> None:
    number = conn.execute("SELECT count(*) FROM students").fetchone()
    conn.execute(
        "INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id, "
        "aws_collection_id) VALUES (%s, %s, 'a', 'b', '2015-01-01', 'grade', 'g', %s)",
        [student, f"{10_000_000 + number[0] if number else 0}-1", collection],
    )


def put_rows(conn: Connection, rows: list[FaceRow], student: str = "s") -> None:
    conn.execute("DELETE FROM student_faces WHERE student_id = %s", [student])
    for external, face_id in rows:
        conn.execute(
            "INSERT INTO student_faces (id, student_id, external_image_id, face_id, photo_url) "
            "VALUES (%s, %s, %s, %s, 'key')",
            [external, student, external, face_id],
        )


def put_faces(conn: Connection, *pages: list[Face]) -> None:
    comparison.begin_listing(conn)
    for page in pages:
        comparison.copy_faces(conn, page)


def flat(plan: Plan) -> tuple[dict[str, int], list[str], list[Change]]:
    return plan.counts(), list(plan.items()), list(plan.changes())


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, FACES, st.booleans())
def test_the_database_finds_the_pure_plan_and_applying_it_leaves_nothing(
    conn: Connection, rows: list[FaceRow], faces: list[Face], unlink: bool
) -> None:
    put_rows(conn, rows)
    put_faces(conn, faces, faces[:3])  # some are listed twice
    plan = comparison.compare(conn, ALL, unlink_missing=unlink)
    assert flat(plan) == flat(plan_sync(rows, faces, unlink_missing=unlink))
    sync.apply_plan(conn, plan)
    after = comparison.read_rows(conn, ALL)
    written = {change.external_image_id: change.after for change in plan.changes()}
    assert {row.external_image_id: row.face_id for row in after} == {
        row.external_image_id: written.get(row.external_image_id, row.face_id) for row in rows
    }
    assert comparison.compare(conn, ALL, unlink_missing=unlink).changed == 0


def test_a_face_that_a_row_of_another_collection_holds_is_in_conflict(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER)])
    conn.execute("UPDATE students SET aws_collection_id = 'here'")
    add_student(conn, "elsewhere", "there")
    put_rows(conn, [FaceRow("elsewhere-photo-1", "f1")], "elsewhere")
    put_faces(conn, [Face("f1", "s-photo-1", 99.0)])
    for unlink in (False, True):
        plan = comparison.compare(conn, Scope(collection="here"), unlink_missing=unlink)
        assert [each.holder for each in plan.conflict] == ["elsewhere-photo-1"]
        assert plan.changed == 0


def test_one_face_listed_under_two_ids_writes_nothing(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER), FaceRow("s-photo-2", PLACEHOLDER)])
    put_faces(conn, [Face("f1", "s-photo-1", 99.0), Face("f1", "s-photo-2", 99.0)])
    plan = comparison.compare(conn, ALL, unlink_missing=False)
    with pytest.raises(EduguardError, match="Two rows would hold one FaceId: .*f1"):
        sync.apply_plan(conn, plan)
    assert {row.face_id for row in comparison.read_rows(conn, ALL)} == {PLACEHOLDER}


def test_a_listing_that_begins_again_forgets_what_was_copied(conn: Connection) -> None:
    put_faces(conn, [Face("f1", "s-photo-1", 99.0)])
    put_faces(conn, [Face("f2", "s-photo-1", 99.0)])
    assert [face.face_id for face in comparison.compare(conn, ALL, unlink_missing=False).orphan] == ["f2"]
