"""A few faces are compared in memory, more of them inside the database: both ways find the pure plan."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.errors import UniqueViolation

from eduguard.aws.types import Face
from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER
from eduguard.migrations import runner
from eduguard.postgres import Database, connect, execute_for
from eduguard.sync import apply, comparison
from eduguard.sync.comparison import Comparison
from eduguard.sync.plan import Change, FaceRow, Plan, plan_sync
from eduguard.sync.scope import Scope, read_rows

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
)


@pytest.fixture(params=["in memory", "in tables"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "in tables":
        monkeypatch.setattr(comparison, "_FEW", 0)
    return str(request.param)


@pytest.fixture
def conn(way: str, database: Database) -> Iterator[Connection]:
    with connect(database.maintenance, purpose="tests") as admin:
        execute_for(admin, "CREATE DATABASE {} TEMPLATE template0", database)
    runner.apply(database, ROOT / "migrations")
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


def list_faces(conn: Connection, *pages: list[Face], scope: Scope = ALL) -> Comparison:
    listed = Comparison(conn, scope)
    with listed.taking_faces() as take:
        for page in pages:
            take(page)
    return listed


def flat(plan: Plan) -> tuple[dict[str, int], list[str], list[Change]]:
    return plan.counts(), list(plan.items()), list(plan.changes())


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, FACES, st.booleans(), st.booleans())
def test_both_ways_find_the_pure_plan_and_applying_it_leaves_nothing(
    conn: Connection, rows: list[FaceRow], faces: list[Face], unlink: bool, in_full: bool
) -> None:
    put_rows(conn, rows)
    listed = list_faces(conn, faces, faces[:3])  # some are listed twice
    plan = listed.plan(unlink_missing=unlink, in_full=in_full)
    assert flat(plan) == flat(plan_sync(rows, faces, unlink_missing=unlink, in_full=in_full))
    apply.apply_plan(conn, plan)
    after = read_rows(conn, ALL)
    written = {change.external_image_id: change.after for change in plan.changes()}
    assert {row.external_image_id: row.face_id for row in after} == {
        row.external_image_id: written.get(row.external_image_id, row.face_id) for row in rows
    }
    assert listed.plan(unlink_missing=unlink).changed == 0


def test_a_face_that_a_row_of_another_collection_holds_is_in_conflict(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER)])
    conn.execute("UPDATE students SET aws_collection_id = 'here'")
    add_student(conn, "elsewhere", "there")
    put_rows(conn, [FaceRow("elsewhere-photo-1", "f1")], "elsewhere")
    listed = list_faces(conn, [Face("f1", "s-photo-1", 99.0)], scope=Scope(collection="here"))
    for unlink in (False, True):
        plan = listed.plan(unlink_missing=unlink)
        assert [each.holder for each in plan.conflict] == ["elsewhere-photo-1"]
        assert plan.changed == 0


def test_a_face_listed_for_two_rows_is_written_to_one(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER), FaceRow("s-photo-2", PLACEHOLDER)])
    listed = list_faces(conn, [Face("f1", "s-photo-2", 99.0), Face("f1", "s-photo-1", 99.0)])
    for _ in range(2):
        plan = listed.plan(unlink_missing=False)
        assert [(each.external_image_id, each.holder) for each in plan.conflict] == [("s-photo-2", "s-photo-1")]
        apply.apply_plan(conn, plan)
    assert dict(read_rows(conn, ALL)) == {"s-photo-1": "f1", "s-photo-2": PLACEHOLDER}


def test_a_face_that_a_row_took_since_the_plan_is_not_written(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER)])
    plan = list_faces(conn, [Face("f1", "s-photo-1", 99.0)]).plan(unlink_missing=False)
    add_student(conn, "t")
    put_rows(conn, [FaceRow("t-photo-1", "f1")], "t")
    with pytest.raises(EduguardError, match="Two rows would hold one FaceId: .*f1"):
        apply.apply_plan(conn, plan)
    assert dict(read_rows(conn, ALL)) == {"s-photo-1": PLACEHOLDER, "t-photo-1": "f1"}


INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'student_faces' ORDER BY indexname"
MANY = 1_500  # enough for the index to be made anew


def uuid_of(number: int) -> str:
    return str(UUID(int=number))


@pytest.fixture
def many(conn: Connection) -> Comparison:
    """Many rows with placeholders, and a face listed for each."""
    conn.execute(
        "INSERT INTO student_faces (id, student_id, external_image_id, photo_url) "
        "SELECT n::text, 's', 's-photo-' || n, 'key' FROM generate_series(1, %s) n",
        [MANY],
    )
    return list_faces(conn, [Face(uuid_of(number), f"s-photo-{number}", 99.0) for number in range(1, MANY + 1)])


def test_many_changes_leave_the_indexes_as_they_were(conn: Connection, many: Comparison) -> None:
    before = conn.execute(INDEXES).fetchall()
    apply.apply_plan(conn, many.plan(unlink_missing=False))
    assert conn.execute(INDEXES).fetchall() == before
    held = {row.external_image_id: row.face_id for row in read_rows(conn, ALL)}
    assert held == {f"s-photo-{number}": uuid_of(number) for number in range(1, MANY + 1)}
    with pytest.raises(UniqueViolation):
        conn.execute("UPDATE student_faces SET face_id = %s WHERE id = '2'", [uuid_of(1)])


def test_many_rows_may_exchange_their_faces(conn: Connection, many: Comparison) -> None:
    apply.apply_plan(conn, many.plan(unlink_missing=False))
    others = [Face(uuid_of(number % MANY + 1), f"s-photo-{number}", 99.0) for number in range(1, MANY + 1)]
    exchanged = list_faces(conn, others)
    plan = exchanged.plan(unlink_missing=False)
    assert len(plan.relink) == MANY
    apply.apply_plan(conn, plan)
    assert exchanged.plan(unlink_missing=False).counts()["unchanged"] == MANY


def test_many_changes_do_not_wait_for_somebody_who_reads(
    conn: Connection, many: Comparison, database: Database
) -> None:
    plan = many.plan(unlink_missing=False)
    with connect(database, purpose="tests") as reader, reader.transaction():
        reader.execute("SELECT FROM student_faces LIMIT 1")
        apply.apply_plan(conn, plan)
    assert many.plan(unlink_missing=False).counts()["unchanged"] == MANY


def test_many_changes_need_not_be_made_by_the_owner_of_the_table(conn: Connection, many: Comparison) -> None:
    plan = many.plan(unlink_missing=False)
    role = f"writer_{os.getpid()}"
    conn.execute(f"CREATE ROLE {role}; GRANT SELECT, UPDATE ON student_faces, students TO {role}; SET ROLE {role}")
    apply.apply_plan(conn, plan)
    conn.execute(f"DROP TABLE planned; RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
    assert many.plan(unlink_missing=False).counts()["unchanged"] == MANY


def test_a_face_that_a_row_took_since_the_plan_of_many_leaves_all_as_it_was(conn: Connection, many: Comparison) -> None:
    before = conn.execute(INDEXES).fetchall()
    plan = many.plan(unlink_missing=False)
    add_student(conn, "t")
    put_rows(conn, [FaceRow("t-photo-1", uuid_of(2))], "t")
    with pytest.raises(EduguardError, match=f"Two rows would hold one FaceId: .*{uuid_of(2)}"):
        apply.apply_plan(conn, plan)
    assert {row.face_id for row in read_rows(conn, ALL)} == {PLACEHOLDER, uuid_of(2)}
    assert conn.execute(INDEXES).fetchall() == before


def test_an_error_on_the_way_leaves_no_face_taken(conn: Connection) -> None:
    listed = list_faces(conn, [Face("f0", "s-photo-1", 99.0)])

    def lose() -> None:
        with listed.taking_faces() as take:
            take([Face("f1", "s-photo-1", 99.0)])
            raise EduguardError("lost")

    with pytest.raises(EduguardError, match="lost"):
        lose()
    assert listed.plan(unlink_missing=False).shown == 0


def test_faces_taken_again_take_the_place_of_those_before(conn: Connection) -> None:
    listed = list_faces(conn, [Face("f1", "s-photo-1", 99.0)])
    with listed.taking_faces() as take:
        take([Face("f2", "s-photo-1", 99.0)])
    assert [face.face_id for face in listed.plan(unlink_missing=False).orphan] == ["f2"]


@pytest.mark.parametrize(("rows", "faces"), [(2, 2), (3, 2), (2, 3), (3, 0), (0, 3)])
def test_rows_or_faces_beyond_a_few_are_compared_in_the_database(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, rows: int, faces: int
) -> None:
    monkeypatch.setattr(comparison, "_FEW", 2)
    put_rows(conn, [FaceRow(f"s-photo-{number}", PLACEHOLDER) for number in range(1, rows + 1)])
    listed = list_faces(conn, *([Face(f"f{number}", f"s-photo-{number}", 99.0)] for number in range(1, faces + 1)))
    plan = listed.plan(unlink_missing=False)
    assert (len(plan.link), len(plan.missing), len(plan.orphan)) == (
        min(rows, faces),
        max(rows - faces, 0),
        max(faces - rows, 0),
    )
    copied = conn.execute("SELECT to_regclass('pg_temp.listed') IS NOT NULL").fetchone()
    assert copied == (max(rows, faces) > 2,)
    apply.apply_plan(conn, plan)
    assert listed.plan(unlink_missing=False).changed == 0
