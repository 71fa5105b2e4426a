"""A mark is valid only in its database, on its server, for its live database and its target."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, execute_for, exists, read_value
from eduguard.rebuild import protection, publication
from eduguard.rebuild.mark import read_mark


def make(database: Database) -> None:
    publication.create_next(database, protection.inspect(database), command="tests")
    publication.publish(database)


def refused(database: Database) -> str:
    with pytest.raises(EduguardError, match="is not replaced") as raised:
        protection.require_consent(protection.inspect(database), database, "open", confirm="", ask=lambda _: None)
    return str(raised.value)


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """Another live database on the same server."""
    other = database.named(f"{database.name}_other")
    yield other
    with connect(other.maintenance, purpose="tests") as conn:
        for each in (other, other.next, other.previous, other.discarded):
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)


def test_a_database_that_we_made_is_ours(database: Database) -> None:
    make(database)
    state = protection.inspect(database)
    assert (state.is_ours, state.is_empty, state.is_expendable) == (True, False, True)


def test_a_copy_of_a_marked_database_is_not_ours(database: Database, other: Database) -> None:
    make(database)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", other, database)
    assert not protection.inspect(other).is_ours
    refused(other)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {}", database)
        execute_for(conn, "ALTER DATABASE {} RENAME TO {}", other, database)
    assert not protection.inspect(database).is_ours, "the name is the same, the database is not"


def test_a_mark_restored_from_a_dump_counts_for_nothing(database: Database, other: Database) -> None:
    make(database)
    with connect(database, purpose="tests") as conn:
        row = conn.execute("SELECT o::text FROM eduguard.origin o").fetchone()
        columns = read_value(
            conn,
            "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) "
            "FROM pg_attribute WHERE attrelid = 'eduguard.origin'::regclass AND attnum > 0",
        )
    assert row
    with connect(other.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", other)
    with connect(other, purpose="tests") as conn:
        conn.execute("CREATE SCHEMA eduguard")
        conn.execute(f"CREATE TABLE eduguard.origin ({columns})".encode())
        conn.execute("INSERT INTO eduguard.origin SELECT (%s::eduguard.origin).*", [row[0]])
        mark = read_mark(conn)
    assert mark
    assert not mark.is_in_place
    assert "its mark was written elsewhere, by 'tests'" in asked(other)


def asked(database: Database) -> str:
    questions: list[str] = []

    def ask(question: str) -> None:
        questions.append(question)

    with pytest.raises(EduguardError):
        protection.require_consent(protection.inspect(database), database, "open", confirm="", ask=ask)
    return questions[0]


def test_a_database_of_another_target_is_not_ours(database: Database) -> None:
    make(replace(database, target="staging"))
    assert protection.inspect(replace(database, target="staging")).is_ours
    assert not protection.inspect(replace(database, target="local")).is_ours


def test_a_server_with_another_identifier_has_no_database_of_ours(database: Database) -> None:
    make(database)
    with connect(database, purpose="tests") as conn:
        conn.execute("UPDATE eduguard.origin SET server = '7'")
    refused(database)


def test_where_the_identifier_may_not_be_read_the_name_is_asked(database: Database) -> None:
    role = database.aside(f"plain_{database.name}")
    make(database)
    with connect(database, purpose="tests") as conn:
        execute_for(conn, "CREATE ROLE {} LOGIN", role)
        conn.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
        execute_for(conn, "GRANT USAGE ON SCHEMA eduguard TO {}", role)
        execute_for(conn, "GRANT SELECT ON eduguard.origin TO {}", role)
    try:
        as_role = replace(database, url=f"{database.url} user={role.name}")
        assert not protection.inspect(as_role).is_ours
        assert protection.inspect(database).is_ours
    finally:
        with connect(database, purpose="tests") as conn:
            execute_for(conn, "DROP OWNED BY {}", role)
            execute_for(conn, "DROP ROLE {}", role)


@pytest.mark.parametrize("suffix", ["next", "previous", "discarded"])
def test_another_schools_database_whose_name_ends_like_ours_is_kept(database: Database, suffix: str) -> None:
    """A live database may have the name of another database's next one."""
    namesake = getattr(database, suffix)
    make(namesake)
    with pytest.raises(EduguardError, match=f"{namesake.name} is in the way"):
        publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.maintenance, purpose="tests") as conn:
        assert exists(conn, namesake)
        execute_for(conn, "DROP DATABASE {}", namesake)


def test_a_database_that_was_given_the_live_name_meanwhile_is_not_replaced(database: Database) -> None:
    make(database)
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {}", database)
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    with connect(database, purpose="tests") as conn:
        conn.execute("CREATE TABLE precious AS SELECT 1 AS id")
    with pytest.raises(EduguardError, match="is not the database that was looked at"):
        publication.publish(database)
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT id FROM precious") == 1
    with connect(database.maintenance, purpose="tests") as conn:
        assert exists(conn, database.next)


def test_a_database_that_was_made_where_there_was_none_is_not_replaced(database: Database) -> None:
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    with pytest.raises(EduguardError, match="is not the database that was looked at"):
        publication.publish(database)


@pytest.mark.sampled("CREATE TABLE t ()", "SELECT lo_create(0)")
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t ()",
        "CREATE TABLE _yoyo_migration ()",
        "CREATE SCHEMA other",
        "CREATE SEQUENCE s",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE mood AS ENUM ('good')",
        "CREATE VIEW v AS SELECT 1",
        "SELECT lo_create(0)",
        "CREATE EXTENSION citext",
        'CREATE COLLATION c FROM "C"',
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO public",
    ],
)
def test_a_database_with_any_object_is_not_empty(empty_database: Database, statement: str) -> None:
    assert protection.inspect(empty_database).is_empty
    with connect(empty_database, purpose="tests") as conn:
        conn.execute(statement.encode())
    assert not protection.inspect(empty_database).is_empty
    refused(empty_database)


@pytest.mark.parametrize("name", ["template0", "template1", "postgres"])
def test_what_cannot_be_renamed_is_refused_whatever_is_typed(database: Database, name: str) -> None:
    with pytest.raises(EduguardError, match=f"{name} is never replaced"):
        protection.check_renameable(database.aside(name))


def test_the_maintenance_database_is_a_setting(empty_database: Database) -> None:
    live = replace(empty_database.aside("postgres"), maintenance_name=empty_database.name)
    protection.check_renameable(live)
    with connect(live.maintenance, purpose="tests") as conn:
        assert read_value(conn, "SELECT current_database()") == empty_database.name


def test_a_server_without_a_database_postgres_is_reached_by_template1(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eduguard.postgres.database._MAINTENANCE", "no_such_database")
    with connect(database.maintenance, purpose="tests") as conn:
        assert read_value(conn, "SELECT current_database()") == "template1"
    with (
        pytest.raises(EduguardError, match="no_such_database"),
        connect(replace(database, maintenance_name="no_such_database").maintenance, purpose="tests"),
    ):
        pytest.fail("a database that a setting names has no substitute")


def test_a_mark_of_an_earlier_version_counts_on_the_embedded_server_alone(database: Database) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    with connect(database, purpose="tests") as conn:
        conn.execute("CREATE SCHEMA eduguard")
        conn.execute(
            "CREATE TABLE eduguard.origin AS SELECT 'local' AS target, 'inv full' AS command, now() AS created_at, "
            "NULL AS inputs, 'hash' AS fixtures, NULL AS fingerprint"
        )
    refused(database)
    assert protection.inspect(replace(database, is_embedded=True)).is_ours
