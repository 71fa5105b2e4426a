"""Migrations are applied once, each whole or not at all, and say where they fail."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eduguard import migrations
from eduguard.database import Database, connect, read_value
from eduguard.errors import EduguardError

ROOT = Path(__file__).parents[2]
IDS = [file.stem for file in sorted((ROOT / "migrations").glob("[0-9]*[a-z].sql")) if ".rollback" not in file.name]

SCHEMA = """
SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                  pg_get_expr(d.adbin, d.adrelid)) AS line
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND c.relname !~ '^_?yoyo'
    UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '^_?yoyo'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename !~ '^_?yoyo'
) s
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "migrations", tmp_path / "migrations"))


def add(folder: Path, name: str, sql: str, rollback: str = "SELECT 1;") -> Path:
    (folder / f"{name}.rollback.sql").write_text(rollback)
    file = folder / f"{name}.sql"
    file.write_text(sql)
    return file


def schema(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, SCHEMA))


def has_table(database: Database, name: str) -> bool:
    with connect(database, purpose="tests") as conn:
        return read_value(conn, "SELECT to_regclass(%s)", name) is not None


def test_a_second_run_finds_nothing_to_do(empty_database: Database, folder: Path) -> None:
    assert list(migrations.apply(empty_database, folder)) == IDS
    assert migrations.apply(empty_database, folder) == ()
    assert migrations.plan(empty_database, folder).applied == tuple(IDS)


def test_up_down_up_gives_the_same_schema(empty_database: Database, folder: Path) -> None:
    migrations.apply(empty_database, folder)
    first = schema(empty_database)
    for count in range(1, len(IDS) + 1):
        assert len(migrations.roll_back(empty_database, folder, count=count)) == count
        migrations.apply(empty_database, folder)
        assert schema(empty_database) == first


def test_rolling_everything_back_leaves_no_table(empty_database: Database, folder: Path) -> None:
    migrations.apply(empty_database, folder)
    migrations.roll_back(empty_database, folder, count=99)
    assert not schema(empty_database).count("students")


def test_a_failure_keeps_the_migrations_before_it_and_nothing_of_itself(empty_database: Database, folder: Path) -> None:
    file = add(folder, "0104_breaks", "CREATE TABLE half (id int);\n\nSELECT *\n  FROM nowhere;\n")
    with pytest.raises(EduguardError) as raised:
        migrations.apply(empty_database, folder)
    assert raised.value.message == f'{file}:4:8: relation "nowhere" does not exist\n  SELECT *'
    assert not has_table(empty_database, "half")
    assert migrations.plan(empty_database, folder).pending == ("0104_breaks",)


def test_an_edited_migration_is_refused_by_name(empty_database: Database, folder: Path) -> None:
    migrations.apply(empty_database, folder)
    edited = folder / "0001_add_classes_attendance_tables.sql"
    edited.write_text(edited.read_text() + "\n-- a word more\n")
    with pytest.raises(EduguardError, match="Edited after being applied: 0001_add_classes_attendance_tables"):
        migrations.apply(empty_database, folder)


def test_an_applied_migration_that_is_gone_is_refused_by_name(empty_database: Database, folder: Path) -> None:
    add(folder, "0104_more", "SELECT 1;")
    migrations.apply(empty_database, folder)
    (folder / "0104_more.sql").unlink()
    with pytest.raises(EduguardError, match="no longer in the folder: 0104_more"):
        migrations.plan(empty_database, folder)


def test_a_migration_older_than_an_applied_one_is_refused(empty_database: Database, folder: Path) -> None:
    migrations.apply(empty_database, folder)
    add(folder, "0002_a_late_one", "SELECT 1;")
    with pytest.raises(
        EduguardError, match="older than 0004_leave_room_for_face_ids, which is applied: 0002_a_late_one"
    ):
        migrations.apply(empty_database, folder)


@pytest.mark.parametrize(
    ("name", "sql", "problem"),
    [
        ("0104_own", "SELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT;\n", r"0104_own.sql:2: BEGIN: .*\n.*0104_own.sql:4: COMMIT"),
        ("next", "SELECT 1;", "next.sql: a migration is named"),
    ],
)
def test_a_bad_file_is_refused_before_anything_runs(
    empty_database: Database, folder: Path, name: str, sql: str, problem: str
) -> None:
    add(folder, name, sql)
    with pytest.raises(EduguardError, match=problem):
        migrations.apply(empty_database, folder)
    assert not has_table(empty_database, "students")


def test_a_missing_rollback_file_is_named(folder: Path) -> None:
    (folder / "0002_add_grade_sections_attendance_drilldown.rollback.sql").unlink()
    with pytest.raises(EduguardError, match=r"there is no 0002_add_grade_sections_attendance_drilldown\.rollback\.sql"):
        migrations.check_folder(folder)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_migrations_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EduguardError, match="no migration in"):
        migrations.check_folder(tmp_path / name)


def test_a_folder_with_brackets_in_its_name_is_read(empty_database: Database, folder: Path) -> None:
    moved = folder.rename(folder.with_name("a [b] c"))
    assert list(migrations.apply(empty_database, moved)) == IDS


def test_a_concurrent_index_is_built_outside_the_transaction(empty_database: Database, folder: Path) -> None:
    add(
        folder,
        "0104_index",
        "-- transactional: false\nCREATE INDEX CONCURRENTLY by_name ON students (last_name);",
        "DROP INDEX by_name;",
    )
    migrations.apply(empty_database, folder)
    assert has_table(empty_database, "by_name")
    assert migrations.apply(empty_database, folder) == ()


def test_a_select_in_a_migration_prints_nothing(
    empty_database: Database, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add(folder, "0104_select", "SELECT 'seen' FROM generate_series(1, 3);")
    migrations.apply(empty_database, folder)
    assert capfd.readouterr().out == ""


def test_a_run_killed_in_a_migration_leaves_nothing_of_it(empty_database: Database, folder: Path) -> None:
    file = add(folder, "0104_slow", "CREATE TABLE half (id int);\nSELECT pg_sleep(60);")
    script = (
        "import sys; from pathlib import Path; from eduguard import migrations; from eduguard.database import Database\n"
        "migrations.apply(Database.from_url(sys.argv[1]), Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, empty_database.url, str(folder)])
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%%' AND datname = %s"
    with connect(empty_database.maintenance, purpose="tests") as conn:
        while not read_value(conn, sleeping, empty_database.name):
            assert process.poll() is None
        process.kill()
        process.wait()
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [empty_database.name])
    file.write_text("CREATE TABLE half (id int);")
    assert list(migrations.apply(empty_database, folder)) == ["0104_slow"]


def test_rows_seeded_before_external_image_ids_get_theirs(empty_database: Database, folder: Path) -> None:
    last = sorted(file for file in folder.glob("*.sql") if file.name >= "0003")
    kept = [(file, file.read_text()) for file in last]
    for file in last:
        file.unlink()
    migrations.apply(empty_database, folder)
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("INSERT INTO stages VALUES ('s', 'S', 1); INSERT INTO grades VALUES ('g', 's', 'G', 1)")
        conn.execute(
            "INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('p', '13456789-9', 'A', 'B')"
        )
        conn.execute(
            "INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id) "
            "VALUES ('s.1', '25678901-9', 'A', 'B', '2019-03-14', 'g', 'p')"
        )
        conn.execute(
            "INSERT INTO student_faces (id, student_id, photo_url) VALUES "
            "('a', 's.1', 'students/s.1/photo-2.jpg'), ('b', 's.1', 'upload/x.jpg')"
        )
    for file, text in kept:
        file.write_text(text)
    migrations.apply(empty_database, folder)
    with connect(empty_database, purpose="tests") as conn:
        rows = conn.execute("SELECT external_image_id FROM student_faces ORDER BY id").fetchall()
    assert rows == [("s.1-photo-2",), ("s.1-photo-1002",)]
