"""Fixtures are checked row by row, loaded in one transaction, and change nothing the second time."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import errors

from eduguard import fixtures, migrations
from eduguard.catalogue import read_tables
from eduguard.database import Database, connect, connect_alone, execute_for
from eduguard.errors import EduguardError
from eduguard.fixture_copy import fill_tables
from eduguard.fixtures import SeedReport
from eduguard.sessions import is_alone

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "seed_data"

Load = Callable[..., SeedReport]


@pytest.fixture(scope="session")
def template(server_url: str) -> Database:
    """A database with every migration applied, cloned by each test."""
    database = Database.from_url(server_url).named("test_template_fixtures")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    migrations.apply(database, ROOT / "migrations")
    return database


@pytest.fixture
def school(database: Database, template: Database) -> Database:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, template)
    return database


@pytest.fixture(params=[False, True], ids=["in a database at work", "in a new database"])
def load(school: Database, tmp_path: Path, request: pytest.FixtureRequest) -> Load:
    """Load files given as name=text, or the shipped seeds."""

    def run(**texts: str) -> SeedReport:
        for name, text in texts.items():
            (tmp_path / f"{name[1:]}.yaml").write_text(text)
        with connect(school, purpose="tests") as conn:
            seeds = fixtures.read_fixtures(tmp_path if texts else SEEDS)
            return fixtures.load_fixtures(conn, seeds, alone=request.param)

    return run


def read(school: Database, query: str) -> list[tuple[object, ...]]:
    with connect(school, purpose="tests") as conn:
        return conn.execute(query).fetchall()  # type: ignore[arg-type]


def counts(report: SeedReport) -> tuple[int, int, int]:
    return tuple(sum(getattr(t, n) for t in report.tables) for n in ("inserted", "updated", "unchanged"))  # type: ignore[return-value]


def test_the_shipped_seeds_load_and_a_second_run_changes_nothing(load: Load, school: Database) -> None:
    inserted, updated, unchanged = counts(load())
    assert (updated, unchanged) == (0, 0)
    assert counts(load()) == (0, 0, inserted)
    assert read(school, "SELECT count(*), count(*) FILTER (WHERE face_id = 'placeholder') FROM student_faces") == [
        (18, 18)
    ]
    assert read(school, "SELECT (SELECT count(*) FROM stages), (SELECT count(*) FROM grades)") == [(3, 14)]
    assert read(school, "SELECT count(*), count(DISTINCT legal_guardian_id) FROM students") == [(6, 6)]


def test_every_rut_of_the_seeds_has_its_check_digit(load: Load, school: Database) -> None:
    load()
    ruts = read(
        school, "SELECT rut FROM students UNION ALL SELECT rut FROM legal_guardians UNION ALL SELECT rut FROM teachers"
    )
    for (rut,) in ruts:
        number, digit = str(rut).split("-")
        total = sum(int(figure) * (2 + place % 6) for place, figure in enumerate(reversed(number)))
        assert digit == "0K987654321"[total % 11]
    assert len(ruts) == 17


def test_a_changed_row_is_updated_and_a_new_one_inserted(load: Load) -> None:
    load(_01_stages="- {id: a, name: A, position: 1}\n- {id: b, name: B, position: 2}\n")
    report = load(
        _01_stages="- {id: a, name: A, position: 1}\n- {id: b, name: Z, position: 2}\n- {id: c, name: C, position: 3}\n"
    )
    assert counts(report) == (1, 1, 1)


def test_a_face_id_that_sync_wrote_survives_seeding(load: Load, school: Database) -> None:
    load()
    read(school, "UPDATE student_faces SET face_id = id || '-real', quality_score = 90, indexed_at = now() RETURNING 1")
    assert counts(load())[:2] == (0, 0)
    placeholders = (
        (SEEDS / "10_student_faces.yaml").read_text().replace("  photo_url", "  face_id: placeholder\n  photo_url")
    )
    load(_10_student_faces=placeholders)
    assert read(school, "SELECT count(*) FROM student_faces WHERE face_id = id || '-real' AND quality_score = 90") == [
        (18,)
    ]


def test_a_column_left_out_keeps_its_value_and_starts_with_its_default(load: Load, school: Database) -> None:
    load(_05_classrooms="- {id: a, name: A, capacity: 5}\n")
    load(_05_classrooms="- {id: a, name: A, capacity: 7}\n")
    assert read(school, "SELECT capacity FROM classrooms") == [(7,)]


def test_the_columns_type_decides_what_text_means(load: Load, school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        conn.execute(
            "CREATE TABLE kinds (id text PRIMARY KEY, t text, b bool, i int, n numeric, d date, j jsonb, a text[])"
        )
    load(
        _01_kinds='- {id: 007, t: no, b: no, i: 42, n: 1.10, d: 2026-02-03, j: {k: [1, 1.5, yes, true, ~, "2"]}, a: [x, "y z", ~]}\n'
        "- {id: 2, t: '', b: on, j: 5, a: []}\n"
    )
    assert read(school, "SELECT id, t, b, i, n::text, d::text, j, a FROM kinds ORDER BY id") == [
        ("007", "no", False, 42, "1.10", "2026-02-03", {"k": [1, 1.5, "yes", True, None, "2"]}, ["x", "y z", None]),
        ("2", "", True, None, None, None, 5, []),
    ]


def test_an_identity_goes_on_after_the_ids_that_were_loaded(load: Load, school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        conn.execute("CREATE TABLE numbered (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text)")
    load(_01_numbered="- {id: 41, name: a}\n")
    assert read(school, "INSERT INTO numbered (name) VALUES ('b') RETURNING id") == [(42,)]


STUDENT = "- id: s1\n  rut: 25678901-9\n  first_name: A\n  last_name: B\n  birth_date: {}\n  grade_id: {}\n  legal_guardian_id: g\n"
GUARDIAN = "- {id: g, rut: 13456789-9, first_name: A, last_name: B}\n"
GRADES = "- {id: g1, stage_id: s, name: G, position: 1}\n"
STAGES = "- {id: s, name: S, position: 1}\n"


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"_01_stagess": "- {id: s}\n"}, r"01_stagess.yaml:1: there is no table stagess; did you mean stages\?"),
        ({"_01_stages": "- id: s\n  name: S\n  positoin: 1\n"}, r"01_stages.yaml:3: stages has no column positoin; did you mean position\?"),
        ({"_01_stages": "- name: S\n"}, "01_stages.yaml:1: the row has no id"),
        ({"_01_stages": "- {id: s, name: S, position: 1}\n- {id: s, name: T, position: 2}\n"}, "01_stages.yaml:2: stages has id = s twice; see line 1"),
        ({"_01_stages": "- {id: s, name: S, position: 1}\n- {id: t, name: S, position: 2}\n"}, "01_stages.yaml:2: stages has name = S twice; see line 1"),
        ({"_01_grades": GRADES}, "01_grades.yaml:1: stages has no row for stage_id = s"),
        ({"_01_stages": "- id: s\n  name: S\n  position: first\n"}, '01_stages.yaml:3: stages.position: invalid input syntax for type integer: "first"'),
        ({"_01_stages": "- id: s\n  name: S\n  position: -1\n"}, '01_stages.yaml:1: .*violates check constraint "stages_position_check"'),
        ({"_01_stages": "- id: s\n  position: 1\n"}, '01_stages.yaml:1: stages.name: null value in column "name" .*violates not-null'),
        ({"_01_stages": "- id: s\n  name: [S]\n  position: 1\n"}, "01_stages.yaml:2: stages.name is text: it takes one value"),
        ({"_01_s": STAGES, "_02_s": STAGES}, "02_s.yaml: s has a fixture already, 01_s.yaml"),
        ({"_stages": STAGES}, "stages.yaml: a fixture is named NN_table.yaml"),
        (
            {"_01_stages": STAGES, "_02_grades": GRADES, "_03_legal_guardians": GUARDIAN, "_04_students": STUDENT.format("2019-02-30", "g1")},
            '04_students.yaml:5: students.birth_date: date/time field value out of range: "2019-02-30"',
        ),
        (
            {"_01_stages": STAGES, "_02_grades": GRADES, "_03_legal_guardians": GUARDIAN, "_04_students": STUDENT.format("2019-02-03", "g2")},
            "04_students.yaml:1: grades has no row for grade_id = g2",
        ),
    ],
)  # fmt: skip
def test_a_bad_fixture_is_refused_with_file_and_line(
    load: Load, school: Database, texts: dict[str, str], problem: str
) -> None:
    with pytest.raises(EduguardError) as raised:
        load(**texts)
    assert re.search(problem, raised.value.message)
    assert read(school, "SELECT count(*) FROM stages") == [(0,)]


def test_the_problems_of_all_files_are_told_together(load: Load) -> None:
    with pytest.raises(EduguardError) as raised:
        load(_01_stages="- {id: a, name: A, position: x}\n", _02_classrooms="- {id: r, name: R, capacity: many}\n")
    assert "01_stages.yaml:1" in raised.value.message
    assert "02_classrooms.yaml:1" in raised.value.message


def test_a_row_that_would_take_another_rows_unique_value_is_named(load: Load) -> None:
    load(_01_stages="- {id: a, name: A, position: 1}\n")
    with pytest.raises(EduguardError, match="01_stages.yaml:1: stages already has a row with name = A"):
        load(_01_stages="- {id: b, name: A, position: 2}\n")


def test_a_cycle_of_references_is_named(load: Load, school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        conn.execute(
            "CREATE TABLE hens (id text PRIMARY KEY); CREATE TABLE eggs (id text PRIMARY KEY, hen text REFERENCES hens)"
        )
        conn.execute("ALTER TABLE hens ADD COLUMN egg text REFERENCES eggs")
    with pytest.raises(EduguardError, match="form a cycle: (hens → eggs → hens|eggs → hens → eggs)"):
        load(_01_hens="- {id: h}\n", _02_eggs="- {id: e}\n")


def test_a_generated_column_cannot_be_given(load: Load, school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        conn.execute("CREATE TABLE sums (id int PRIMARY KEY, double int GENERATED ALWAYS AS (id * 2) STORED)")
    with pytest.raises(EduguardError, match="01_sums.yaml:1: sums.double is generated by the database"):
        load(_01_sums="- {id: 1, double: 2}\n")
    assert counts(load(_01_sums="- {id: 1}\n")) == (1, 0, 0)


def test_a_file_that_is_no_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "01_stages.yaml").write_bytes(b"- {id: \xff}\n")
    with pytest.raises(EduguardError, match="01_stages.yaml: not UTF-8 at byte 7"):
        fixtures.read_fixtures(tmp_path)


def test_a_folder_without_fixtures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match="no fixture in"):
        fixtures.read_fixtures(tmp_path)


FOREIGN_KEYS = """
SELECT to_jsonb(k) - 'oid', obj_description(k.oid, 'pg_constraint') FROM pg_constraint k WHERE contype = 'f' ORDER BY k.oid
"""


def test_filling_a_new_database_leaves_every_foreign_key_as_it_was(school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        conn.execute("COMMENT ON CONSTRAINT students_grade_id_fkey ON students IS 'the grade'")
        conn.execute("ALTER TABLE classes ALTER CONSTRAINT classes_teacher_id_fkey NOT ENFORCED")
        before = conn.execute(FOREIGN_KEYS).fetchall()
        fixtures.load_fixtures(conn, fixtures.read_fixtures(SEEDS), alone=True)
        assert conn.execute(FOREIGN_KEYS).fetchall() == before
        with pytest.raises(errors.ForeignKeyViolation):
            conn.execute("UPDATE students SET grade_id = 'none'")


def test_a_foreign_key_whose_triggers_are_off_is_left_so(school: Database) -> None:
    query = "SELECT tgrelid::regclass::text, tgtype, tgenabled FROM pg_trigger ORDER BY 1, 2, 3"
    with connect(school, purpose="tests") as conn:
        conn.execute("ALTER TABLE students DISABLE TRIGGER ALL")
        before = conn.execute(query).fetchall()
        assert ("students", 5, "D") in before
        fixtures.load_fixtures(conn, fixtures.read_fixtures(SEEDS), alone=True)
        assert conn.execute(query).fetchall() == before


def test_nobody_who_is_at_work_in_a_table_is_waited_for(school: Database) -> None:
    seeds = fixtures.read_fixtures(SEEDS)
    with connect_alone(school, purpose="tests") as other, connect(school, purpose="tests") as conn:
        assert not is_alone(conn, school)
        with other.transaction():
            other.execute("SELECT count(*) FROM students")
            conn.execute("SET lock_timeout = '1s'")
            assert counts(fixtures.load_fixtures(conn, seeds, alone=True)) == (113, 0, 0)
    with connect(school, purpose="tests") as conn:
        assert any(is_alone(conn, school) or time.sleep(0.05) for _ in range(100)), "it has ended, but was not gone"


def test_both_ways_leave_the_same_rows(school: Database, template: Database) -> None:
    query = "SELECT to_jsonb(t) - 'created_at' FROM {} t ORDER BY id"
    seeds = fixtures.read_fixtures(SEEDS)
    rows = []
    for alone in (True, False):
        with connect(school, purpose="tests") as conn, conn.transaction(force_rollback=True):
            assert counts(fixtures.load_fixtures(conn, seeds, alone=alone)) == (113, 0, 0)
            rows.append([conn.execute(query.format(each.table)).fetchall() for each in seeds])  # type: ignore[arg-type]
    assert rows[0] == rows[1]


def test_tables_are_filled_straight_only_where_nothing_is_in_them_or_wrong(school: Database) -> None:
    seeds = fixtures.read_fixtures(SEEDS)
    with connect(school, purpose="tests") as conn:
        tables = read_tables(conn)
        ordered = sorted(seeds, key=lambda fixture: fixture.file)
        dangling = [fixture for fixture in ordered if fixture.table != "legal_guardians"]
        assert not fill_tables(conn, dangling, tables)
        assert conn.execute("SELECT count(*) FROM stages").fetchone() == (0,), "something of it was kept"
        assert fill_tables(conn, ordered, tables)
        assert not fill_tables(conn, ordered, tables)
