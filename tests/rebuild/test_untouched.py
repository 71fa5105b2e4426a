"""`inv seed-full` replaces a database that is as a reset has left it by a clone, and no other."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from eduguard.commands import workflow
from eduguard.postgres.database import Database, connect, connect_alone, execute_for, exists, read_value
from eduguard.rebuild import lock, untouched
from eduguard.settings import Settings

CLONED = "a clone with the fixtures in it"
LOADED = "113 inserted"


@pytest.fixture
def settings(database: Database, settings: Settings) -> Settings:
    """A target with a database that a reset has made, and a template with the fixtures in it."""
    made = replace(settings, target=replace(settings.target, database_url=database.url))
    with lock.hold_lock(database):
        rebuild(made, seeded=True)
        seed(made, in_next=True)
        reset(made)
    return made


def rebuild(settings: Settings, *, seeded: bool) -> None:
    workflow.rebuild(settings, confirm="", command="tests", ask=lambda _: None, seeded=seeded, to="")
    workflow.migrate(settings, in_next=True)


def reset(settings: Settings) -> None:
    rebuild(settings, seeded=False)
    workflow.publish(settings)


def seed(settings: Settings, *, in_next: bool = False) -> str:
    return workflow.seed(settings, in_next=in_next, command="the seeds")


def ask(database: Database, query: str, *parameters: object) -> object:
    with connect_alone(database, purpose="tests") as conn:
        found = conn.execute(query, parameters or None)  # type: ignore[arg-type]
        row = found.fetchone() if found.description else None
        return row[0] if row else None


def oid(database: Database) -> object:
    return ask(database.maintenance, "SELECT oid FROM pg_database WHERE datname = %s", database.name)


def present(database: Database) -> set[str]:
    with connect(database.maintenance, purpose="tests") as conn:
        beside = (database, database.next, database.previous, database.discarded)
        return {each.name.removeprefix(database.name) for each in beside if exists(conn, each)}


def test_a_database_as_a_reset_has_left_it_is_replaced_by_a_clone(database: Database, settings: Settings) -> None:
    before = oid(database)
    assert CLONED in seed(settings)
    assert oid(database) != before
    assert ask(database, "SELECT count(*) FROM students") == 6
    assert ask(database, "SELECT command FROM eduguard.origin") == "the seeds"
    assert present(database) == {"", "_discarded"}
    assert "113 unchanged" in seed(settings), "the second time it is not empty, and stays"


def test_what_undo_brings_back_stays_what_it_was(database: Database, settings: Settings) -> None:
    with connect(database, purpose="tests") as conn:
        conn.execute("CREATE TABLE marks ()")
    reset(settings)
    assert CLONED in seed(settings)
    workflow.undo(settings)
    assert ask(database, "SELECT to_regclass('marks')")


WRITES = {
    "a row": "INSERT INTO stages VALUES ('own', 'own', 99)",
    "a record of migrations": "DELETE FROM _yoyo_log",
    "a table": "CREATE TABLE own ()",
    "a table of a schema": "CREATE SCHEMA own; CREATE TABLE own.own ()",
    "an index that is gone": "DROP INDEX {index}",
    "a column": "ALTER TABLE students ADD own text",
    "a default": "ALTER TABLE students ALTER status SET DEFAULT 'graduated'",
    "a function": "CREATE FUNCTION own() RETURNS int LANGUAGE sql RETURN 1",
    "a trigger that is off": "ALTER TABLE students DISABLE TRIGGER ALL",
    "a comment": "COMMENT ON TABLE students IS 'own'",
    "a grant": "GRANT SELECT ON students TO PUBLIC",
    "a large object": "SELECT lo_create(0)",
    "an empty table made anew": "TRUNCATE students CASCADE",
    "a setting": "ALTER DATABASE {database} SET timezone TO 'UTC'",
    "a comment on the database": "COMMENT ON DATABASE {database} IS 'own'",
    "a grant on the database": "GRANT CONNECT ON DATABASE {database} TO PUBLIC",
    "a limit": "ALTER DATABASE {database} CONNECTION LIMIT 7",
    "a prepared transaction": "BEGIN; INSERT INTO stages VALUES ('own', 'own', 99); PREPARE TRANSACTION '{database}'",
}


def test_a_database_that_somebody_wrote_to_is_kept(database: Database, settings: Settings) -> None:
    index = ask(
        database,
        "SELECT min(indexrelid::regclass::text) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid"
        " WHERE NOT indisunique AND relnamespace = 'public'::regnamespace",
    )
    for what, statements in WRITES.items():
        with connect(database, purpose="tests") as conn:
            for statement in statements.format(database=database.name, index=index).split("; "):
                conn.execute(statement)  # type: ignore[arg-type]
        before = oid(database)
        assert (what, LOADED in seed(settings), oid(database)) == (what, True, before)
        assert "_next" not in present(database)
        if "PREPARE" in statements:
            ask(database, f"ROLLBACK PREPARED '{database.name}'")
        reset(settings)
    assert CLONED in seed(settings), "a reset leaves one that nobody wrote to"


def test_a_database_that_somebody_is_in_is_kept_and_so_is_the_session(database: Database, settings: Settings) -> None:
    before = oid(database)
    with connect_alone(database, purpose="tests") as conn:
        assert LOADED in seed(settings)
        assert read_value(conn, "SELECT count(*) FROM students") == 6
    assert oid(database) == before


def test_a_next_database_of_the_user_is_kept(database: Database, settings: Settings) -> None:
    rebuild(settings, seeded=False)
    before = oid(database.next)
    assert LOADED in seed(settings)
    assert oid(database.next) == before


def test_a_row_written_between_the_look_and_the_rename_is_never_lost(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, before = untouched.observe, oid(database)

    def look_then_write(live: Database, recorded: str) -> int | None:
        seen = look(live, recorded)
        if seen is not None and "_next" in present(database):
            ask(live, "INSERT INTO stages VALUES ('own', 'own', 99)")
        return seen

    monkeypatch.setattr(untouched, "observe", look_then_write)
    assert LOADED in seed(settings)
    assert oid(database) == before
    assert ask(database, "SELECT count(*) FROM stages WHERE id = 'own'") == 1
    assert present(database) == {""}


def test_writes_elsewhere_on_the_server_only_cost_another_look(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = untouched.observe, list[int | None]()

    def look_then_write(live: Database, recorded: str) -> int | None:
        looks.append(look(live, recorded))
        if len(looks) == 2:
            ask(live.maintenance, "SELECT pg_current_xact_id()::text")
        return looks[-1]

    monkeypatch.setattr(untouched, "observe", look_then_write)
    assert CLONED in seed(settings)
    assert len(looks) == 3


def test_a_role_that_may_only_enter_its_own_database_loads_into_it(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eduguard.postgres.database.MAINTENANCE", "no_such_database")
    assert LOADED in seed(settings)


@pytest.mark.parametrize("level", ["confirm", "refuse"])
def test_a_target_whose_database_is_not_replaced_unasked_is_loaded_into(
    database: Database, settings: Settings, level: str
) -> None:
    before = oid(database)
    assert LOADED in seed(replace(settings, target=replace(settings.target, protection=level)))
    assert oid(database) == before


def test_a_database_of_other_migrations_than_the_files_say_is_loaded_into(
    database: Database, settings: Settings
) -> None:
    before = oid(database)
    (settings.migrations_folder / "0005_own.sql").write_text("CREATE TABLE own ();\n")
    (settings.migrations_folder / "0005_own.rollback.sql").write_text("DROP TABLE own;\n")
    with lock.hold_lock(database):
        rebuild(settings, seeded=True)
        assert "kept as a template" in seed(settings, in_next=True)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {}", database.next)
    assert LOADED in seed(settings)
    assert oid(database) == before
    assert ask(database, "SELECT to_regclass('own')") is None


@pytest.mark.fault
@pytest.mark.parametrize("step", range(1, 6))
def test_a_kill_at_any_statement_leaves_a_database_that_can_be_seeded(
    database: Database, settings: Settings, step: int, settle: Callable[[Database], None]
) -> None:
    script = (
        "import os, pickle, signal, sys, psycopg\n"
        "left = int(sys.argv[1]); plain = psycopg.Connection.execute\n"
        "def execute(self, query, *rest, **options):\n"
        "    global left\n"
        "    done = plain(self, query, *rest, **options)\n"
        "    if ' DATABASE ' in str(query):\n"
        "        left -= 1\n"
        "        if left == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return done\n"
        "psycopg.Connection.execute = execute\n"
        "from eduguard.commands import workflow\n"
        "workflow.seed(pickle.loads(sys.stdin.buffer.read()), in_next=False, command='the seeds')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(step)], check=False, capture_output=True, input=pickle.dumps(settings)
    )
    assert done.returncode == -9, done.stderr
    settle(database)
    assert any(found in seed(settings) for found in (CLONED, LOADED, "113 unchanged"))
    assert ask(database, "SELECT count(*) FROM students") == 6
    rebuild(settings, seeded=True)
    workflow.publish(settings)
    assert present(database) == {"", "_previous"}
