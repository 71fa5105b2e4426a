"""PostgreSQL leaves equal rows out of the comparison, but the plan is the same as for all rows and faces."""

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
from eduguard.schools import Place, Scope
from eduguard.sync import apply
from eduguard.sync.comparison import compare, copy_faces, prepare, read_rows
from eduguard.sync.plan import Change, FaceRow, Plan, pair_up, plan_sync

ROOT = Path(__file__).parents[2]
ALL = Scope(place=Place(collection="any", school="school"))
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


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with connect(database.maintenance, purpose="tests") as admin:
        execute_for(admin, "CREATE DATABASE {} TEMPLATE template0", database)
    runner.apply(database, ROOT / "migrations")
    with connect(database, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO schools VALUES ('school', 'school');"
            "INSERT INTO stages VALUES ('stage', 'stage', 1);"
            "INSERT INTO grades VALUES ('grade', 'stage', 'grade', 1);"
            "INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('g', '11111111-1', 'a', 'b');"
        )
        add_student(conn, "s")
        yield conn


def add_student(conn: Connection, student: str, collection: str | None = None) -> None:
    number = conn.execute("SELECT count(*) FROM students").fetchone()
    conn.execute(
        "INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id, "
        "school_id, aws_collection_id) VALUES (%s, %s, 'a', 'b', '2015-01-01', 'grade', 'g', 'school', %s)",
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


class Listed:
    """Faces that were copied into the database for a comparison."""

    def __init__(self, conn: Connection, *pages: list[Face], scope: Scope = ALL) -> None:
        self._conn, self._scope = conn, scope
        prepare(conn, scope)
        copy_faces(conn, pages)

    def plan(self, *, unlink_missing: bool = False, in_full: bool = False) -> Plan:
        return compare(self._conn, self._scope, unlink_missing=unlink_missing, in_full=in_full)


def flat(plan: Plan) -> tuple[dict[str, int], list[str], list[Change]]:
    return plan.counts(), list(map(str, plan.items())), list(plan.changes())


LAWS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@LAWS
@given(ROWS, FACES, st.booleans(), st.booleans())
def test_what_the_database_yields_makes_the_plan_of_everything_and_applying_it_leaves_nothing(
    conn: Connection, rows: list[FaceRow], faces: list[Face], unlink: bool, in_full: bool
) -> None:
    put_rows(conn, rows)
    listed = Listed(conn, faces, faces[:3])  # some are listed twice
    plan = listed.plan(unlink_missing=unlink, in_full=in_full)
    assert flat(plan) == flat(plan_sync(pair_up(rows, faces), unlink_missing=unlink, in_full=in_full))
    apply.apply_plan(conn, plan)
    after = read_rows(conn, ALL)
    written = {change.external_image_id: change.after for change in plan.changes()}
    assert {row.external_image_id: row.face_id for row in after} == {
        row.external_image_id: written.get(row.external_image_id, row.face_id) for row in rows
    }
    assert listed.plan(unlink_missing=unlink).changed == 0


@pytest.mark.slow
@LAWS
@given(ROWS, st.integers(min_value=0, max_value=5), FACES, st.booleans())
def test_rows_out_of_the_scope_keep_what_they_hold(
    conn: Connection, rows: list[FaceRow], outside: int, faces: list[Face], unlink: bool
) -> None:
    conn.execute("UPDATE students SET aws_collection_id = 'here' WHERE id = 's'")
    if not conn.execute("SELECT FROM students WHERE id = 't'").fetchall():
        add_student(conn, "t", "there")
    inside, others = rows[outside:], [row._replace(external_image_id=f"t{row[0][1:]}") for row in rows[:outside]]
    put_rows(conn, [], "t")
    put_rows(conn, inside, "s")
    put_rows(conn, others, "t")
    plan = Listed(conn, faces, scope=Scope(place=Place(collection="here"))).plan(unlink_missing=unlink)
    holders = {row.face_id: row.external_image_id for row in others if row.face_id != PLACEHOLDER}
    assert flat(plan) == flat(plan_sync(pair_up(inside, faces, holders=holders), unlink_missing=unlink))
    apply.apply_plan(conn, plan)
    assert sorted(read_rows(conn, Scope(place=Place(collection="there")))) == sorted(others)


def test_a_face_that_a_row_of_another_collection_holds_is_in_conflict(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER)])
    conn.execute("UPDATE students SET aws_collection_id = 'here'")
    add_student(conn, "elsewhere", "there")
    put_rows(conn, [FaceRow("elsewhere-photo-1", "f1")], "elsewhere")
    listed = Listed(conn, [Face("f1", "s-photo-1", 99.0)], scope=Scope(place=Place(collection="here")))
    for unlink in (False, True):
        plan = listed.plan(unlink_missing=unlink)
        assert [each.holder for each in plan.conflict] == ["elsewhere-photo-1"]
        assert plan.changed == 0


def test_a_face_listed_for_two_rows_is_written_to_one(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER), FaceRow("s-photo-2", PLACEHOLDER)])
    listed = Listed(conn, [Face("f1", "s-photo-2", 99.0), Face("f1", "s-photo-1", 99.0)])
    for _ in range(2):
        plan = listed.plan()
        assert [(each.external_image_id, each.holder) for each in plan.conflict] == [("s-photo-2", "s-photo-1")]
        apply.apply_plan(conn, plan)
    assert dict(read_rows(conn, ALL)) == {"s-photo-1": "f1", "s-photo-2": PLACEHOLDER}


def test_a_face_that_a_row_took_since_the_plan_is_not_written(conn: Connection) -> None:
    put_rows(conn, [FaceRow("s-photo-1", PLACEHOLDER)])
    plan = Listed(conn, [Face("f1", "s-photo-1", 99.0)]).plan()
    add_student(conn, "t")
    put_rows(conn, [FaceRow("t-photo-1", "f1")], "t")
    with pytest.raises(EduguardError, match="Two rows would hold one FaceId: .*f1"):
        apply.apply_plan(conn, plan)
    assert dict(read_rows(conn, ALL)) == {"s-photo-1": PLACEHOLDER, "t-photo-1": "f1"}


INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'student_faces' ORDER BY indexname"
MANY = 1_500  # enough rows to recreate the index


def uuid_of(number: int) -> str:
    return str(UUID(int=number))


@pytest.fixture
def many(conn: Connection) -> Listed:
    """Many rows with placeholders, and a face listed for each."""
    conn.execute(
        "INSERT INTO student_faces (id, student_id, external_image_id, photo_url) "
        "SELECT n::text, 's', 's-photo-' || n, 'key' FROM generate_series(1, %s) n",
        [MANY],
    )
    return Listed(conn, [Face(uuid_of(number), f"s-photo-{number}", 99.0) for number in range(1, MANY + 1)])


def test_many_changes_leave_the_indexes_as_they_were(conn: Connection, many: Listed) -> None:
    before = conn.execute(INDEXES).fetchall()
    apply.apply_plan(conn, many.plan())
    assert conn.execute(INDEXES).fetchall() == before
    held = {row.external_image_id: row.face_id for row in read_rows(conn, ALL)}
    assert held == {f"s-photo-{number}": uuid_of(number) for number in range(1, MANY + 1)}
    with pytest.raises(UniqueViolation):
        conn.execute("UPDATE student_faces SET face_id = %s WHERE id = '2'", [uuid_of(1)])


def test_many_rows_may_exchange_their_faces(conn: Connection, many: Listed) -> None:
    apply.apply_plan(conn, many.plan())
    others = [Face(uuid_of(number % MANY + 1), f"s-photo-{number}", 99.0) for number in range(1, MANY + 1)]
    exchanged = Listed(conn, others)
    plan = exchanged.plan()
    assert len(plan.relink) == MANY
    apply.apply_plan(conn, plan)
    assert exchanged.plan().counts()["unchanged"] == MANY


def test_many_changes_do_not_wait_for_somebody_who_reads(conn: Connection, many: Listed, database: Database) -> None:
    plan = many.plan()
    with connect(database, purpose="tests") as reader, reader.transaction():
        reader.execute("SELECT FROM student_faces LIMIT 1")
        apply.apply_plan(conn, plan)
    assert many.plan().counts()["unchanged"] == MANY


def test_many_changes_need_not_be_made_by_the_owner_of_the_table(conn: Connection, many: Listed) -> None:
    plan = many.plan()
    role = f"writer_{os.getpid()}"
    conn.execute(f"CREATE ROLE {role}; GRANT SELECT, UPDATE ON student_faces, students TO {role}; SET ROLE {role}")
    apply.apply_plan(conn, plan)
    conn.execute(f"DROP TABLE planned; RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")
    assert many.plan().counts()["unchanged"] == MANY


def test_a_face_that_a_row_took_since_the_plan_of_many_leaves_all_as_it_was(conn: Connection, many: Listed) -> None:
    before = conn.execute(INDEXES).fetchall()
    plan = many.plan()
    add_student(conn, "t")
    put_rows(conn, [FaceRow("t-photo-1", uuid_of(2))], "t")
    with pytest.raises(EduguardError, match=f"Two rows would hold one FaceId: .*{uuid_of(2)}"):
        apply.apply_plan(conn, plan)
    assert {row.face_id for row in read_rows(conn, ALL)} == {PLACEHOLDER, uuid_of(2)}
    assert conn.execute(INDEXES).fetchall() == before


def test_an_error_on_the_way_leaves_no_face_copied(conn: Connection) -> None:
    listed = Listed(conn, [Face("f0", "s-photo-1", 99.0)])

    def lose() -> Iterator[list[Face]]:
        yield [Face("f1", "s-photo-1", 99.0)]
        raise EduguardError("lost")

    with pytest.raises(EduguardError, match="lost"):
        copy_faces(conn, lose())
    assert listed.plan().shown == 0


def test_faces_copied_again_take_the_place_of_those_before(conn: Connection) -> None:
    listed = Listed(conn, [Face("f1", "s-photo-1", 99.0)])
    assert copy_faces(conn, [[Face("f2", "s-photo-1", 99.0)], [Face("f3", "t-photo-1", 99.0)]], students={"s"}) == 2
    assert [face.face_id for face in listed.plan().orphan] == ["f2"]
