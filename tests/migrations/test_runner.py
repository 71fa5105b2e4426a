"""Migrations are applied once, each completely or not at all; a failure says where it is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eduguard import migrations
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, read_value

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
    file.write_text(sql, errors="surrogateescape")
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
    for count in (-1, 0, len(IDS) + 1):
        with pytest.raises(EduguardError, match=f"--count {count}: {len(IDS)} migrations are applied"):
            migrations.roll_back(empty_database, folder, count=count)
    migrations.roll_back(empty_database, folder, count=len(IDS))
    assert not schema(empty_database).count("students")


@pytest.mark.fault
def test_a_failure_keeps_the_migrations_before_it_and_nothing_of_itself(empty_database: Database, folder: Path) -> None:
    file = add(folder, "0104_breaks", "CREATE TABLE half (id int);\n\nSELECT *\n  FROM nowhere;\n")
    with pytest.raises(EduguardError) as raised:
        migrations.apply(empty_database, folder)
    assert raised.value.message == f'{file}:4:8: relation "nowhere" does not exist\n  SELECT *\n    FROM nowhere'
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
    for file in folder.glob("0104*"):
        file.unlink()
    with pytest.raises(EduguardError, match="no longer in the folder: 0104_more"):
        migrations.plan(empty_database, folder)


def test_a_migration_older_than_an_applied_one_is_refused(empty_database: Database, folder: Path) -> None:
    add(folder, "0104_more", "SELECT 1;")
    migrations.apply(empty_database, folder)
    add(folder, "0103_a_late_one", "SELECT 1;")
    with pytest.raises(EduguardError, match="0103_a_late_one.sql:1: pending, but older than 0104_more"):
        migrations.apply(empty_database, folder)


@pytest.mark.parametrize(
    ("name", "sql", "problem"),
    [
        ("0104_own", "SELECT 1;\nBEGIN;\nSELECT 2;\nCOMMIT;\n", r"own.sql:2:1: BEGIN: .*\n.*own.sql:4:1: COMMIT"),
        ("0104_own", "SELECT 1; /* ; */ commit work", "own.sql:1:19: COMMIT: a migration runs in one transaction"),
        ("0104_own", "START -- now\n TRANSACTION READ WRITE;", "own.sql:1:1: START: a migration"),
        ("next", "SELECT 1;", "next.sql:1: a migration is named"),
        ("0104_mode", "-- transactional: maybe\nSELECT 1;", "mode.sql:1: transactional is true or false, not 'maybe'"),
        ("0104_two", "-- transactional: false\nSELECT 1;\nSELECT 2;", "two.sql:1: .* has one statement"),
        ("0104_after", "\n-- depends: 0002\nSELECT 1;", "after.sql:2: depends: 0002 is not a migration before it"),
        (
            "0002_again",
            "SELECT 1;",
            "(?s)0002_add_.*:1: 0002 is the number of another.*0002_again.sql:1: 0002 is the number",
        ),
        ("0104_mark", "\ufeffSELECT 1;", "mark.sql:1: begins with a byte order mark"),
        ("0104_mark", "\ufeff-- transactional: false\nSELECT 1;", "mark.sql:1: begins with a byte order mark"),
        (
            "0104_dump",
            "-- dump\n\n\\restrict k3Yz\n\nSET statement_timeout = 0;\n\n\\unrestrict k3Yz\n",
            r"(?s)dump.sql:3:1: .restrict: a command of psql.*dump.sql:7:1: .unrestrict: a command of psql",
        ),
        (
            "0104_copy",
            "CREATE TABLE t (id int);\nCOPY t (id) FROM stdin;\n1\n\\.\n",
            "copy.sql:2:1: COPY: rows between the lines",
        ),
        (
            "0104_copy",
            'copy public."from" /* ; */ from\n  stdin with (format csv);\n1\n',
            "copy.sql:1:1: COPY: rows between",
        ),
        ("0104_copy", "COPY t TO STDOUT;", "copy.sql:1:1: COPY: rows between the lines"),
        (
            "0104_name",
            "ALTER DATABASE eduguard SET timezone = 'UTC';",
            "name.sql:1:1: ALTER DATABASE: .*current_database",
        ),
        (
            "0104_name",
            "alter -- it\n database eduguard owner to me;",
            "name.sql:1:1: ALTER DATABASE: .*current_database",
        ),
        ("0104_name", "COMMENT ON DATABASE eduguard IS 'x';", "name.sql:1:1: COMMENT ON DATABASE: .*current_database"),
        ("0104_name", "REVOKE CONNECT ON DATABASE eduguard FROM PUBLIC;", "name.sql:1:1: REVOKE CONNECT ON DATABASE: "),
        ("0104_name", "ALTER ROLE me IN DATABASE x SET work_mem = '1MB';", "name.sql:1:1: ALTER ROLE ME IN DATABASE: "),
        ("0104_bytes", "SELECT '\udcff';", "bytes.sql:1: cannot be read: .*position 8"),
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


def test_a_rollback_file_without_its_migration_is_named(folder: Path) -> None:
    (folder / "0104_gone.rollback.sql").write_text("SELECT 1;")
    with pytest.raises(EduguardError, match=r"0104_gone.rollback.sql:1: there is no migration that it rolls back"):
        migrations.check_folder(folder)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "0104_dangling.sql").symlink_to("nowhere")
    (folder / "0104_dangling.rollback.sql").mkdir()
    with pytest.raises(
        EduguardError, match="(?s)dangling.sql:1: cannot be read.*dangling.rollback.sql:1: cannot be read"
    ):
        migrations.check_folder(folder)


def test_a_function_may_begin_and_end_as_it_likes(empty_database: Database, folder: Path) -> None:
    add(
        folder,
        "0104_functions",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$\nBEGIN\n  RETURN 1;\nEND;\n$body$;\n"
        "SAVEPOINT here;\nCREATE TABLE half (id int);\nROLLBACK TO SAVEPOINT here;\n"
        "DO $$\nBEGIN\nPERFORM f();\nEND;\n$$;\n",
        "DROP FUNCTION f();",
    )
    migrations.apply(empty_database, folder)
    assert not has_table(empty_database, "half")
    migrations.roll_back(empty_database, folder)


def test_a_statement_that_fails_the_second_time_is_found(empty_database: Database, folder: Path) -> None:
    line = "INSERT INTO once VALUES (1);"
    file = add(
        folder, "0104_twice", f"CREATE TABLE once (id int PRIMARY KEY);\n-- {line}\n{line}\n/* {line} */ {line}\n"
    )
    with pytest.raises(EduguardError, match=f"{file}:4:{len(line) + 8}: duplicate key value") as raised:
        migrations.apply(empty_database, folder)
    assert line.removesuffix(";") in raised.value.message


def test_a_broken_rollback_says_where_and_keeps_the_migration(empty_database: Database, folder: Path) -> None:
    add(folder, "0104_stays", "CREATE TABLE stays (id int);", "DROP TABLE stays;\n  DROP TABLE nowhere;")
    migrations.apply(empty_database, folder)
    with pytest.raises(EduguardError, match='0104_stays.rollback.sql:2:3: table "nowhere" does not exist'):
        migrations.roll_back(empty_database, folder)
    assert has_table(empty_database, "stays")
    assert migrations.plan(empty_database, folder).applied[-1] == "0104_stays"


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
        "DROP INDEX CONCURRENTLY by_name;",
    )
    migrations.apply(empty_database, folder)
    assert has_table(empty_database, "by_name")
    assert migrations.apply(empty_database, folder) == ()
    assert migrations.roll_back(empty_database, folder) == ("0104_index",)
    assert not has_table(empty_database, "by_name")


def test_a_concurrent_index_that_fails_says_what_it_may_have_left(empty_database: Database, folder: Path) -> None:
    sql = "-- transactional: false\nCREATE INDEX CONCURRENTLY by_nothing ON students (nothing);"
    file = add(folder, "0104_index", sql)
    with pytest.raises(EduguardError, match=f'(?s){file}:2:.*"nothing" does not exist.*such as an invalid index'):
        migrations.apply(empty_database, folder)
    assert migrations.plan(empty_database, folder).pending == ("0104_index",)


CONCURRENTLY = "-- transactional: false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON students (last_name);"


@pytest.mark.fault
@pytest.mark.parametrize("before", ["record", "mark"])
def test_a_kill_before_the_record_of_a_concurrent_index_leaves_it_pending(
    empty_database: Database, folder: Path, before: str
) -> None:
    add(folder, "0104_index", CONCURRENTLY, "DROP INDEX CONCURRENTLY by_name;")
    migrations.apply(empty_database, folder, to="0005")
    script = (
        "import os, sys; from pathlib import Path; from eduguard import migrations; from eduguard.migrations import yoyo_backend\n"
        "from eduguard.postgres import Database\n"
        "class Killed(yoyo_backend.Backend):\n"
        "    def execute_values(self, query, *values):\n"
        "        os.kill(os.getpid(), 9)\n"
        "    def mark_one(self, *rest, **options):\n"
        "        if sys.argv[3] == 'mark': os.kill(os.getpid(), 9)\n"
        "        return super().mark_one(*rest, **options)\n"
        "yoyo_backend.Backend = Killed\n"
        "migrations.apply(Database.from_url(sys.argv[1]), Path(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, empty_database.url, str(folder), before], check=False, capture_output=True
    )
    assert done.returncode == -9, done.stderr
    assert has_table(empty_database, "by_name")
    assert migrations.plan(empty_database, folder).pending == ("0104_index",)
    assert migrations.apply(empty_database, folder) == ("0104_index",)
    assert migrations.plan(empty_database, folder).pending == ()
    assert migrations.roll_back(empty_database, folder) == ("0104_index",)
    assert not has_table(empty_database, "by_name")


def test_an_interrupted_concurrent_index_does_not_count_as_an_index(empty_database: Database, folder: Path) -> None:
    file = add(folder, "0104_index", CONCURRENTLY, "DROP INDEX CONCURRENTLY by_name;")
    migrations.apply(empty_database, folder, to="0005")
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("CREATE INDEX by_name ON students (last_name)")
        conn.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass")
    with pytest.raises(EduguardError, match=f"{file}:1: the index by_name is invalid") as refused:
        migrations.apply(empty_database, folder)
    assert refused.value.hint
    assert "DROP INDEX by_name" in refused.value.hint
    assert migrations.plan(empty_database, folder).pending == ("0104_index",)
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("DROP INDEX by_name")
    assert migrations.apply(empty_database, folder) == ("0104_index",)


def test_a_select_in_a_migration_prints_nothing(
    empty_database: Database, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    add(folder, "0104_select", "SELECT 'seen' FROM generate_series(1, 3);")
    migrations.apply(empty_database, folder)
    assert capfd.readouterr().out == ""


@pytest.mark.fault
def test_a_run_killed_in_a_migration_leaves_nothing_of_it(empty_database: Database, folder: Path) -> None:
    file = add(folder, "0104_slow", "CREATE TABLE half (id int);\nSELECT pg_sleep(60);")
    script = (
        "import sys; from pathlib import Path; from eduguard import migrations; from eduguard.postgres import Database\n"
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


def test_a_server_that_ends_the_connection_is_blamed_with_its_reason(empty_database: Database, folder: Path) -> None:
    add(folder, "0200_end", "SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(
        EduguardError, match="(?s)0200_end.sql:1:1: terminating connection due to administrator.*SELECT"
    ):
        migrations.apply(empty_database, folder)
