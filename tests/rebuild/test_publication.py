"""The next database replaces the live one in one step, and no other database is replaced."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, create_as, execute_for, exists, read_value
from eduguard.rebuild import lock, protection, publication, snapshots


def create(database: Database, mark: str) -> None:
    """Make a next database with a value that identifies it."""
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.next, purpose="tests") as conn:
        conn.execute("CREATE TABLE marks (mark text)")
        conn.execute("INSERT INTO marks VALUES (%s)", [mark])


def mark(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, "SELECT mark FROM marks"))


def present(database: Database) -> set[str]:
    with connect(database.maintenance, purpose="tests") as conn:
        beside = (database, database.next, database.previous, database.discarded)
        return {each.name.removeprefix(database.name) for each in beside if exists(conn, each)}


def test_publishing_keeps_one_generation(database: Database) -> None:
    for number in "123":
        create(database, number)
        publication.publish(database)
    assert (mark(database), mark(database.previous)) == ("3", "2")
    assert present(database) == {"", "_previous", "_discarded"}
    create(database, "4")
    assert present(database) == {"", "_previous", "_next"}, "the next rebuild drops what was discarded"


def test_the_server_drops_what_was_discarded_after_a_command_has_ended(database: Database) -> None:
    for number in "123":
        with lock.hold_lock(database):
            create(database, number)
            publication.publish(database)
    with lock.hold_lock(database):  # waits for the server, though this process sent the statement
        assert present(database) == {"", "_previous"}
    assert (mark(database), mark(database.previous)) == ("3", "2")


def test_a_command_that_fails_leaves_what_was_discarded_to_the_next_one(database: Database) -> None:
    for number in "123":
        create(database, number)
        publication.publish(database)
    with pytest.raises(ZeroDivisionError), lock.hold_lock(database):
        raise ZeroDivisionError
    assert present(database) == {"", "_previous", "_discarded"}


def test_a_database_of_somebody_else_is_not_dropped_after_a_command(database: Database) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {}", database.discarded)
    with connect(database.discarded, purpose="tests") as conn:
        conn.execute("CREATE TABLE theirs ()")
    with lock.hold_lock(database):
        pass
    with lock.hold_lock(database):
        assert "_discarded" in present(database)


@pytest.mark.fault
def test_a_drop_that_the_death_of_the_server_cut_off_is_finished_by_the_next_run(database: Database) -> None:
    for number in "12":
        create(database, number)
        publication.publish(database)
    with connect(database.maintenance, purpose="tests") as conn:
        for half_dropped in (database.discarded, database.next):
            execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", half_dropped)
            conn.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = %s", [half_dropped.name])
    create(database, "3")
    publication.publish(database)
    assert (mark(database), present(database)) == ("3", {"", "_previous", "_discarded"})


def test_undo_swaps_and_swaps_back(database: Database) -> None:
    for number in "12":
        create(database, number)
        publication.publish(database)
    publication.undo(database)
    assert (mark(database), mark(database.previous)) == ("1", "2")
    publication.undo(database)
    assert (mark(database), mark(database.previous)) == ("2", "1")


def test_undo_without_a_previous_database_is_refused(database: Database) -> None:
    with pytest.raises(EduguardError, match=f"no {database.previous.name} to bring back"):
        publication.undo(database)


def test_publishing_without_a_next_database_is_refused(database: Database) -> None:
    with pytest.raises(EduguardError, match=f"no {database.next.name} to publish"):
        publication.publish(database)


def test_the_mark_says_who_made_the_database(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    state = protection.inspect(database)
    assert state.mark
    assert (state.mark.target, state.mark.command) == ("", "tests")
    assert state.is_expendable


def test_sessions_in_the_way_are_ended_and_named(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    create(database, "2")
    with psycopg.connect(database.url, application_name="school app") as conn:
        began = time.monotonic()
        noted: list[str] = []
        swap = publication.publish(database, noted.append)
        assert time.monotonic() - began < 4, "PostgreSQL's wait of 5 s was not avoided"
        assert [session.application for session in swap.ended] == ["school app"]
        assert noted == [f"ends session {swap.ended[0]}"]
        assert 0 < swap.pause < 4
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    assert mark(database) == "2"


@pytest.mark.slow
@pytest.mark.fault
def test_a_client_that_keeps_reconnecting_cannot_stop_a_publish(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    create(database, "2")
    script = (
        "import sys, psycopg\n"
        "while True:\n"
        "    try:\n"
        "        with psycopg.connect(sys.argv[1], application_name='stubborn') as conn:\n"
        "            print('in', flush=True)\n"
        "            while True: conn.execute('SELECT 1')\n"
        "    except psycopg.OperationalError: pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, database.url], stdout=subprocess.PIPE) as client:
        try:
            assert client.stdout
            client.stdout.readline()
            publication.publish(database)
        finally:
            client.kill()
    assert mark(database) == "2"


def test_a_leftover_of_ours_is_dropped(database: Database) -> None:
    create(database, "half")
    create(database, "whole")
    publication.publish(database)
    assert mark(database) == "whole"


@pytest.mark.parametrize("place", ["next", "discarded"])
def test_a_database_of_somebody_else_in_the_way_is_kept(database: Database, place: str) -> None:
    theirs: Database = getattr(database, place)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", theirs)
    with connect(theirs, purpose="tests") as conn:
        conn.execute("CREATE TABLE theirs (id int)")
    with pytest.raises(EduguardError, match=f"{theirs.name} is in the way"):
        publication.create_next(database, protection.inspect(database), command="tests")
    assert present(database) == {f"_{place}"}


@pytest.mark.sampled("2")
@pytest.mark.fault
@pytest.mark.parametrize("step", range(1, 7))
def test_a_publish_killed_at_any_statement_leaves_one_of_the_two_serving(database: Database, step: int) -> None:
    for number in "12":
        create(database, number)
        publication.publish(database)
    create(database, "3")
    script = (
        "import os, signal, sys, psycopg\n"
        "from eduguard.rebuild import publication; from eduguard.postgres import Database\n"
        "left = int(sys.argv[2]); plain = psycopg.Connection.execute\n"
        "def execute(self, query, *rest, **options):\n"
        "    global left\n"
        "    done = plain(self, query, *rest, **options)\n"
        "    if 'DATABASE' in str(query):\n"
        "        left -= 1\n"
        "        if left == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return done\n"
        "psycopg.Connection.execute = execute\n"
        "publication.publish(Database.from_url(sys.argv[1]))\n"
    )
    subprocess.run([sys.executable, "-c", script, database.url, str(step)], check=False, capture_output=True)
    assert mark(database) in {"2", "3"}
    create(database, "4")
    publication.publish(database)
    assert mark(database) == "4"
    assert present(database) == {"", "_previous", "_discarded"}


@pytest.mark.sampled("live-INSERT INTO eduguard.origin")
@pytest.mark.fault
@pytest.mark.parametrize("statement", ["CREATE DATABASE", "INSERT INTO eduguard.origin", "RENAME TO"])
@pytest.mark.parametrize("source", ["snapshot", "live"])
def test_a_copy_that_was_killed_before_it_had_its_mark_and_name_blocks_nobody(
    database: Database, statement: str, source: str
) -> None:
    create(database, "1")
    publication.publish(database)
    snapshots.save(database, "one", {}, lambda _: None)
    before = protection.inspect(database).oid
    script = (
        "import os, signal, sys, psycopg\n"
        "from eduguard.rebuild import protection, publication, snapshots; from eduguard.postgres import Database\n"
        "plain = psycopg.Connection.execute\n"
        "def execute(self, query, *rest, **options):\n"
        "    done = plain(self, query, *rest, **options)\n"
        "    if sys.argv[2] in str(query): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return done\n"
        "psycopg.Connection.execute = execute\n"
        "live = Database.from_url(sys.argv[1]); state = protection.inspect(live)\n"
        "source = {'of_live': True} if sys.argv[3] == 'live' else {'template': snapshots.find(live, 'one').kept}\n"
        "publication.create_next(live, state, command='killed', **source)\n"
    )
    command = [sys.executable, "-c", script, database.url, statement, source]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = protection.inspect(database)
    assert (state.oid, mark(database), present(database)) == (before, "1", {""})
    assert len(publication.list_beside(database)) == 2, "the draft and the snapshot are named by `inv status`"
    kept = snapshots.find(database, "one").kept
    publication.create_next(database, state, command="tests", template=kept)
    publication.publish(database)
    assert mark(database) == "1"
    assert len(publication.list_beside(database)) == 2, "the previous database and the snapshot"


def test_a_copy_of_the_live_database_holds_all_rows_until_then_and_reports_those_after(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    state, notes = protection.inspect(database), list[str]()
    with psycopg.connect(database.url, autocommit=True, application_name="school app") as conn:
        conn.execute("INSERT INTO marks VALUES ('copied')")
        publication.create_next(database, state, command="tests", of_live=True, note=notes.append)
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    assert len(notes) == 1
    assert "(school app, postgres)" in notes[0]
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute("INSERT INTO marks VALUES ('too late')")
    publication.publish(database, notes.append)
    with connect(database, purpose="tests") as conn:
        assert conn.execute("SELECT mark FROM marks ORDER BY 1").fetchall() == [("1",), ("copied",)]
    assert "marks was written to meanwhile: 1 row inserted, 0 updated" in notes[-1]


HOLD = """
import sys
from eduguard.rebuild import lock
from eduguard.postgres import Database, connect
database = Database.from_url(sys.argv[1])
with lock.hold_lock(database), connect(database.maintenance, purpose='') as conn:
    print('holds it', flush=True)
    conn.execute('SELECT pg_sleep(%s)', [sys.argv[2]])
"""


@contextmanager
def held_elsewhere(database: Database, seconds: int) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lock of the database, in a statement."""
    command = [sys.executable, "-c", HOLD, database.url, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "holds it\n"
        time.sleep(0.2)  # until the process waits for the statement
        yield holder
        holder.kill()


def test_only_one_command_at_a_time_rebuilds_a_database(database: Database) -> None:
    with held_elsewhere(database, 60) as holder:
        with (
            pytest.raises(
                EduguardError, match=rf"session [0-9]+ \(eduguard lock \w+, process {holder.pid} on .*, since 20"
            ),
            lock.hold_lock(database),
        ):
            pass
        with lock.hold_lock(database.named("another")):
            pass


def test_a_process_that_holds_the_lock_may_ask_for_it_again(database: Database) -> None:
    with lock.hold_lock(database), lock.hold_lock(database.named("another")), lock.hold_lock(database):
        pass
    with lock.hold_lock(database):
        pass


def test_the_lock_of_a_command_that_was_killed_in_a_statement_is_waited_for(database: Database) -> None:
    with held_elsewhere(database, 2) as holder:
        holder.kill()
    with lock.hold_lock(database):
        pass


@pytest.fixture
def plain(database: Database) -> Iterator[Database]:
    """The database, opened by a role without any privilege."""
    role = f"plain_{database.name}"
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE ROLE {} LOGIN", database.aside(role))
        yield Database.from_url(f"{database.url} user={role}")
        for each in (database, database.next, database.previous):
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)
        execute_for(conn, "DROP ROLE {}", database.aside(role))


def let_create_databases(plain: Database) -> None:
    admin = Database.from_url(plain.url.replace(f"plain_{plain.name}", "postgres"))
    with connect(admin.maintenance, purpose="tests") as conn:
        execute_for(conn, "ALTER ROLE {} CREATEDB", admin.aside(f"plain_{plain.name}"))


def test_a_role_that_may_not_create_databases_is_told_the_grant(plain: Database) -> None:
    role = f"plain_{plain.name}"
    with pytest.raises(EduguardError, match=f"(?s){role} may not create databases.*ALTER ROLE {role} CREATEDB"):
        publication.create_next(plain, protection.inspect(plain), command="tests")


def test_a_role_that_may_not_rename_the_database_is_told_the_grant_before_anything_is_made(
    plain: Database, empty_database: Database
) -> None:
    let_create_databases(plain)
    with pytest.raises(EduguardError, match=f"(?s)belongs to the role postgres.*GRANT postgres TO plain_{plain.name}"):
        publication.create_next(plain, protection.inspect(plain), command="tests")
    assert present(empty_database) == {""}


def test_a_role_that_may_not_end_a_session_is_told_whose_it_is_and_waits_for_nothing(
    plain: Database, database: Database
) -> None:
    let_create_databases(plain)
    for number in "12":
        create(plain, number)
        if number == "1":
            publication.publish(plain)
    with psycopg.connect(database.url, application_name="school app") as conn:
        with pytest.raises(EduguardError, match=r"(?s)may not end .*\(school app, postgres\).*GRANT pg_signal_backend"):
            publication.publish(plain)
        assert conn.execute("SELECT mark FROM marks").fetchone() == ("1",)
    publication.publish(plain)
    assert mark(plain) == "2"


def test_a_prepared_transaction_is_named_instead_of_waited_for(database: Database) -> None:
    for number in "12":
        create(database, number)
        if number == "1":
            publication.publish(database)
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute("BEGIN")
        conn.execute("INSERT INTO marks VALUES ('kept')")
        conn.execute("PREPARE TRANSACTION 'left open'")
        with pytest.raises(EduguardError, match=f"(?s)'left open' is open in {database.name}.*ROLLBACK PREPARED"):
            publication.publish(database)
        conn.execute("ROLLBACK PREPARED 'left open'")
    publication.publish(database)
    assert mark(database) == "2"


@pytest.mark.parametrize("step", ["rebuild", "publish"])
def test_a_previous_database_that_we_did_not_make_is_never_dropped(database: Database, step: str) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        if step == "publish":
            create(database, "1")
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database.previous)
    with connect(database.previous, purpose="tests") as conn:
        conn.execute("CREATE TABLE marks AS SELECT 'theirs' AS mark")
    with pytest.raises(EduguardError, match=f"(?s){database.previous.name} is in the way.*RENAME TO"):
        create(database, "1") if step == "rebuild" else publication.publish(database)
    assert mark(database.previous) == "theirs"


@pytest.mark.fault
def test_undo_works_after_a_publish_that_was_killed_before_it_dropped_the_oldest(database: Database) -> None:
    for number in "12":
        create(database, number)
        publication.publish(database)
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "ALTER DATABASE {} RENAME TO {}", database.next, database.discarded)
    publication.undo(database)
    assert mark(database) == "1"
    assert present(database) == {"", "_previous"}


def never(_: str) -> str | None:
    pytest.fail("nothing should be asked")


def silent(_: str) -> str | None:
    return None


@pytest.fixture
def foreign(empty_database: Database) -> Database:
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("CREATE TABLE pupils AS SELECT generate_series(1, 1234) AS id")
    return empty_database


def check(database: Database, level: str, confirm: str = "", ask: object = never) -> None:
    protection.require_consent(protection.inspect(database), database, level, confirm=confirm, ask=ask)  # type: ignore[arg-type]


def test_an_absent_an_empty_and_a_marked_database_are_replaced_without_asking(database: Database) -> None:
    check(database, "open")
    create(database, "1")
    publication.publish(database)
    check(database, "open")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database.next)
    check(database.next, "open")


def test_a_database_we_did_not_make_needs_its_name(foreign: Database) -> None:
    check(foreign, "open", confirm=foreign.name)
    check(foreign, "open", ask=lambda _: foreign.name)
    with pytest.raises(
        EduguardError,
        match=rf"(?s){foreign.name} on .*1,234 rows: pupils 1,234.*nobody was there.*--confirm {foreign.name}",
    ):
        check(foreign, "open", ask=silent)
    with pytest.raises(EduguardError, match="'yes' is not its name"):
        check(foreign, "open", ask=lambda _: "yes")
    with pytest.raises(EduguardError, match="'other' is not its name"):
        check(foreign, "open", confirm="other")


def test_a_confirming_target_asks_even_for_a_database_of_ours(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    with pytest.raises(EduguardError, match="is not replaced"):
        check(database, "confirm", ask=silent)
    check(database, "confirm", confirm=database.name)


def test_a_confirming_target_asks_for_a_change_as_for_a_replacement(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    state = protection.inspect(database)
    with pytest.raises(
        EduguardError, match=f"is not changed by `inv seed`: .*`confirm`.*\n  .*--confirm {database.name}"
    ):
        protection.require_consent(state, database, "confirm", confirm="", ask=silent, replacing=False, by="`inv seed`")


def test_a_remote_database_of_ours_needs_its_name(foreign: Database) -> None:
    state = protection.DatabaseState(oid=1, server="db.example.org:5432", is_local=False)
    with pytest.raises(EduguardError, match=r"db.example.org:5432 \(1,234 rows"):
        protection.require_consent(state, foreign, "open", confirm="", ask=silent)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db.example.org:6543/school", "postgresql://me@db.example.org:6543/school"),
        ("host=db.example.org dbname=school password=secret", "postgresql://db.example.org/school"),
        ("postgresql://[::1]/school?password=secret", "postgresql://[::1]/school"),
        ("postgresql://me@/school?host=/run/pg&port=1", "postgresql://me@/school?host=%2Frun%2Fpg&port=1"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert Database.from_url(url).shown_url == shown


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://me:secret@[db/school", "cannot be read"),
        ("postgresql://me:secret@db/", "names no database"),
        ("postgresql:///" + "x" * 60, "too long"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(EduguardError, match=problem) as raised:
        Database.from_url(url)
    assert "secret" not in str(raised.value)


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(EduguardError, match="(?s)Cannot connect to postgresql:///school.*Check that the server runs"),
        connect(Database.from_url(f"postgresql:///school?host={tmp_path}"), purpose="tests"),
    ):
        pytest.fail("there is no server")


def test_a_database_that_does_not_exist_says_what_makes_it(database: Database) -> None:
    with (
        pytest.raises(EduguardError, match="(?s)does not exist.*inv migrate.*inv full"),
        connect(database, purpose="tests"),
    ):
        pytest.fail("there is no database")


@pytest.mark.fault
def test_a_create_database_that_is_broken_off_is_followed_by_a_checkpoint(database: Database) -> None:
    create(database, "1")
    publication.publish(database)
    with connect(database.maintenance, purpose="tests") as watcher:
        before = read_value(watcher, "SELECT checkpoint_lsn FROM pg_control_checkpoint()")
        canceller = threading.Thread(target=cancel_create, args=[database])
        # While somebody is connected to it, a database cannot be copied: PostgreSQL waits for 5 s.
        with psycopg.connect(database.url), connect(database.maintenance, purpose="tests") as conn:
            canceller.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                create_as(conn, "CREATE DATABASE {} TEMPLATE {}", database.next, database)
        canceller.join()
        assert read_value(watcher, "SELECT checkpoint_lsn FROM pg_control_checkpoint()") != before
    assert present(database) == {""}


def cancel_create(database: Database) -> None:
    """Cancel the CREATE DATABASE of another session as soon as it has begun, as psycopg does when Ctrl-C is pressed."""
    query = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query ~ '^CREATE DATABASE' AND state = 'active'"
    with connect(database.maintenance, purpose="tests") as conn:
        while not read_value(conn, query):
            time.sleep(0.01)
