"""Each migration runs in a session of its own: applied together or one by one, they make the same database."""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from eduguard import migrations
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, execute_for, read_value
from eduguard.postgres.programs import find_binaries

_NUMBERS = count(1)
Apply = Callable[..., Database]
ROOT = Path(__file__).parents[2]

SQL_FILES = {
    "a function with CASE in its body": "CREATE FUNCTION f1(a int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n SELECT CASE WHEN a = 1 THEN 2 END;\n SELECT 3;\nEND;\nCREATE TABLE t1 (id int);",
    "columns named like keywords": 'CREATE TABLE t2 (begin date, "end" date, declare int, "if" int, atomic int);\nCREATE TABLE t1 (id int);',
    "nested dollar quotes": "CREATE FUNCTION f3() RETURNS text LANGUAGE plpgsql AS $outer$\nDECLARE s text := $$a;b 'c$$;\nBEGIN\n RETURN s || $q$;--$q$;\nEND;\n$outer$;\nSELECT f3(); CREATE TABLE t1 (id int);",
    "comments with quotes": "-- don't; stop\nCREATE TABLE t4 (id int); -- it's; fine $$\n/* a ; b ' c $$ /* nested ; */ */\nCREATE TABLE t1 (id int);",
    "escapes": "CREATE TABLE t1 (a text DEFAULT E'it\\'s; \"x\" $$', b text DEFAULT 'C:\\temp\\', c text DEFAULT U&'\\0041;');\nCOMMENT ON TABLE t1 IS 'semi; colon '' and $$ and -- and /* ';",
    "percent signs": "CREATE TABLE t1 (a text CHECK (a LIKE '%x%'), b int DEFAULT 7 % 3);\nINSERT INTO t1 VALUES ('100%x %s %(a)s', 5 % 2);\nDO $$ BEGIN RAISE NOTICE 'done % %%', 1; END $$;",
    "no last semicolon": "CREATE TABLE t1 (id int)\n-- the end\n",
    "a rule with two statements": "CREATE TABLE t1 (id int); CREATE TABLE l13 (id int);\nCREATE RULE r13 AS ON INSERT TO t1 DO ALSO (INSERT INTO l13 VALUES (NEW.id); NOTIFY x13);\nCREATE TABLE t13b (id int);",
    "names with dollars and semicolons": 'CREATE TABLE t1 (a$b int, "c;d" int, "e""f;" text);\nCREATE TABLE t14b (id int);',
    "a view with words of transactions": 'CREATE VIEW v22 AS SELECT 1 AS "end", 2 AS begin;\nCREATE FUNCTION f22() RETURNS int LANGUAGE sql RETURN (SELECT CASE WHEN true THEN 1 ELSE 2 END);\nCREATE TABLE t1 (id int);',
    "a procedure that commits": "CREATE PROCEDURE p21() LANGUAGE plpgsql AS $$\nBEGIN\n COMMIT;\nEND;\n$$;\nCREATE TABLE t1 (id int);",
    "savepoints": "CREATE TABLE t1 (id int);\nSAVEPOINT a;\nINSERT INTO t1 VALUES (1);\nROLLBACK TO SAVEPOINT a;\nRELEASE SAVEPOINT a;",
    "a schema with its tables": "CREATE SCHEMA s12 CREATE TABLE t12 (id int) CREATE VIEW v12 AS SELECT * FROM t12;\nCREATE TABLE t1 (id int);",
    "two functions with bodies, in small letters": "create function f24(a int) returns int language sql begin atomic select a; end;\ncreate function f24b(a int) returns int\nlanguage sql\nimmutable\nbegin atomic\n  select case a when 1 then 1 else 2 end;\nend;\ncreate table t1 (id int);",
}  # fmt: skip


@pytest.fixture
def dump(state_folder: Path) -> Callable[[Database], str]:
    def run(database: Database) -> str:
        done = subprocess.run(
            [
                find_binaries(state_folder / "postgres", None) / "pg_dump",
                "--exclude-schema=eduguard",
                "--exclude-table=*yoyo*",
                database.url,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return "\n".join(line for line in done.stdout.splitlines() if "restrict " not in line)

    return run


@pytest.fixture
def apply(server_url: str, tmp_path: Path) -> Iterator[Apply]:
    """Make a database from SQL files, with one command for all or one for each."""
    made = []

    def run(*files: str, one_by_one: bool = False) -> Database:
        folder = tmp_path / "migrations"
        folder.mkdir(exist_ok=True)
        for number, text in enumerate(files):
            (folder / f"{number:04}_file.sql").write_text(text, newline="")
            (folder / f"{number:04}_file.rollback.sql").write_text("SELECT 1;")
        database = Database.from_url(server_url).named(f"sessions_{os.getpid()}_{next(_NUMBERS)}")
        made.append(database)
        with connect(database.maintenance, purpose="tests") as conn:
            execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
        for number in range(len(files)) if one_by_one else [len(files) - 1]:
            migrations.apply(database, folder, to=f"{number:04}")
        return database

    yield run
    with connect(Database.from_url(server_url).named("any").maintenance, purpose="tests") as conn:
        for database in made:
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


@pytest.mark.parametrize("case", SQL_FILES)
def test_statements_are_what_postgres_takes_them_for(apply: Apply, case: str) -> None:
    with connect(apply(SQL_FILES[case]), purpose="tests") as conn:
        assert read_value(conn, "SELECT count(*) FROM pg_tables WHERE tablename = 't1'") == 1


LEAKS = {
    "a search path": ("CREATE SCHEMA app; SET search_path = app, public; CREATE TABLE houses (id int PRIMARY KEY);", "CREATE TABLE rooms (id int PRIMARY KEY);"),
    "the empty search path of pg_dump": (
        "SET statement_timeout = 0; SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.houses (id int PRIMARY KEY);",
        "ALTER TABLE houses ADD COLUMN motto text;",
    ),
    "a role": (
        ("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'owner_of_houses') THEN CREATE ROLE owner_of_houses; END IF; END $$;"
        "GRANT CREATE, USAGE ON SCHEMA public TO owner_of_houses; SET ROLE owner_of_houses; CREATE TABLE houses (id int PRIMARY KEY);"),
        "CREATE TABLE rooms (id int PRIMARY KEY);",
    ),
    "a session authorization": (
        ("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'owner_of_houses') THEN CREATE ROLE owner_of_houses; END IF; END $$;"
        "GRANT CREATE, USAGE ON SCHEMA public TO owner_of_houses; SET SESSION AUTHORIZATION owner_of_houses; CREATE TABLE houses (id int);"),
        "CREATE TABLE rooms (id int PRIMARY KEY);",
    ),
    "formats of dates and bytes": (
        "SET DateStyle = German; SET TimeZone = 'Asia/Tokyo'; SET standard_conforming_strings = off; CREATE TABLE d (id int, at timestamptz, t text);",
        "INSERT INTO d VALUES (1, '03.02.2026 10:00', 'a\\b'), (2, '2026-02-03 10:00', 'c');",
    ),
    "temporary tables, prepared statements and settings of one's own": (
        "CREATE TABLE t (id int); CREATE TEMP TABLE t (a text); PREPARE p AS SELECT 1; SET school.name = 'x'; LISTEN y;",
        "INSERT INTO t VALUES (1); CREATE TABLE name AS SELECT current_setting('school.name', true) AS name; PREPARE p AS SELECT 2;",
    ),
    "a default tablespace, a lock timeout and no checks of functions": (
        "SET check_function_bodies = off; SET lock_timeout = '1ms'; SET default_table_access_method = heap; CREATE TABLE t (id int);",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE s AS SELECT current_setting('check_function_bodies') AS s;",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in LEAKS if case != "formats of dates and bytes"])
def test_together_and_one_by_one_make_the_same_database(
    apply: Apply, dump: Callable[[Database], str], case: str
) -> None:
    together = dump(apply(*LEAKS[case]))
    assert "CREATE TABLE" in together
    assert dump(apply(*LEAKS[case], one_by_one=True)) == together


def test_foreign_keys_that_a_file_has_switched_off_hold_for_the_next(apply: Apply) -> None:
    files = (
        (
            "SET session_replication_role = replica; CREATE TABLE houses (id int PRIMARY KEY);"
            "CREATE TABLE rooms (id int PRIMARY KEY, house_id int REFERENCES houses (id));"
        ),
        "INSERT INTO rooms VALUES (1, 99);",
    )
    with pytest.raises(EduguardError, match="0001_file.sql:1:1: insert or update on table .* violates foreign key"):
        apply(*files)


def test_what_a_file_sets_of_dates_and_strings_ends_with_it(apply: Apply) -> None:
    first, second = LEAKS["formats of dates and bytes"]
    with connect(apply(first, second.replace("03.02.2026", "03/02/2026")), purpose="tests") as conn:
        assert conn.execute("SELECT at::text, t FROM d ORDER BY id").fetchall() == [
            ("2026-03-02 10:00:00+00", "a\\b"),
            ("2026-02-03 10:00:00+00", "c"),
        ]


@pytest.mark.parametrize("new_line", ["\n", "\r\n"])
def test_line_endings_do_not_make_a_file_edited(apply: Apply, tmp_path: Path, new_line: str) -> None:
    text = "CREATE TABLE t (id int);\nCREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\nSELECT 'a\nb'\n$$;\n"
    database = apply(text.replace("\n", new_line))
    other = "\n" if new_line == "\r\n" else "\r\n"
    file = tmp_path / "migrations/0000_file.sql"
    file.write_text(text.replace("\n", other), newline="")
    assert migrations.apply(database, file.parent) == ()
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT f()") == "a\nb"
    file.write_text(text + "-- more\n")
    with pytest.raises(EduguardError, match="Edited after being applied: 0000_file"):
        migrations.plan(database, file.parent)


def test_a_hash_that_was_recorded_of_other_line_endings_is_known(apply: Apply, tmp_path: Path) -> None:
    import hashlib

    database = apply("SELECT 1;\n")
    with connect(database, purpose="tests") as conn:
        conn.execute("UPDATE eduguard.migration SET sha256 = %s", [hashlib.sha256(b"SELECT 1;\r\n").hexdigest()])
    assert migrations.plan(database, tmp_path / "migrations").pending == ()


WAYS_OUT = {
    "an enum value used at once": (
        ("CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE moods (mood mood);", "ALTER TYPE mood ADD VALUE 'tired';\nINSERT INTO moods VALUES ('tired');"),
        ["0001_file.sql:2:27: unsafe use of new value", "HINT: New enum values must be committed before they can be used.", "use it in the next migration"],
    ),
    "an index built concurrently": (
        ("CREATE TABLE t (id int);\nCREATE INDEX CONCURRENTLY i ON t (id);",),
        ["0000_file.sql:2:1: CREATE INDEX CONCURRENTLY cannot run inside a transaction block", "`-- transactional: false`"],
    ),
    "a role that exists": (
        ("CREATE ROLE postgres_of_all_names;", "CREATE ROLE postgres_of_all_names;"),
        ['0001_file.sql:1:1: role "postgres_of_all_names" already exists', "Roles belong to the server", "IF NOT EXISTS (SELECT FROM pg_roles"],
    ),
    "an extension that the server lacks": (
        ("CREATE EXTENSION IF NOT EXISTS pgcrypto;",),
        ['0000_file.sql:1:1: extension "pgcrypto" is not available', "The embedded server has PostgreSQL's own extensions but pgcrypto", "DATABASE_URL"],
    ),
    "a collation of ICU": (
        ("CREATE COLLATION spanish (provider = icu, locale = 'es');",),
        ["0000_file.sql:1:1: ICU is not supported in this build", "has no ICU"],
    ),
    "a value that is there twice": (
        ("CREATE TABLE t (name text UNIQUE);\nINSERT INTO t VALUES ('a'), ('a');",),
        ["0000_file.sql:2:1: duplicate key value", "DETAIL: Key (name)=(a) already exists."],
    ),
    "a column that others depend on": (
        ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;\nALTER TABLE t DROP COLUMN a;",),
        ["0000_file.sql:2:1: cannot drop column a", "DETAIL: view v depends on column a of table t", "HINT: Use DROP ... CASCADE"],
    ),
    "an error in a function": (
        ("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n RETURN 1 / 0;\nEND $$;\nSELECT f();",),
        ["0000_file.sql:5:1: division by zero", "CONTEXT: ", "PL/pgSQL function f() line 3 at RETURN"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WAYS_OUT)
def test_postgres_says_why_and_we_say_what_to_do(apply: Apply, server_url: str, case: str) -> None:
    files, words = WAYS_OUT[case]
    try:
        with pytest.raises(EduguardError) as raised:
            apply(*files)
    finally:
        with connect(Database.from_url(server_url).named("any").maintenance, purpose="tests") as conn:
            conn.execute("DROP ROLE IF EXISTS postgres_of_all_names")
    said = str(raised.value)
    assert [word for word in words if word not in said] == [], said


def test_a_large_insert_is_split_once(apply: Apply) -> None:
    rows = ",\n".join(f"({n}, 'reading; {n}', {n}.5)" for n in range(20_000))
    database = apply(f"CREATE TABLE readings (id int, a text, b numeric);\nINSERT INTO readings VALUES\n{rows};\n")
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT count(*) FROM readings") == 20_000
