"""The properties of a database are carried over to its replacement, unless new migrations set them differently."""

from collections.abc import Iterator
from dataclasses import replace
from typing import LiteralString

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.postgres import Database, connect, execute_for, read_value
from eduguard.rebuild import protection, publication, snapshots
from eduguard.rebuild.properties import Key, find_changes, read_properties


def make(database: Database, *statements: LiteralString) -> list[str]:
    """Replace the database by one whose migrations execute these statements; return the notes."""
    notes: list[str] = []
    publication.create_next(database, protection.inspect(database), command="tests", note=notes.append)
    with connect(database.maintenance, purpose="tests") as conn:
        for statement in statements:
            execute_for(conn, statement, database.next)
    publication.publish(database, notes.append)
    return notes


def properties(database: Database) -> dict[Key, str]:
    with connect(database.maintenance, purpose="tests") as conn:
        return dict(read_properties(conn, database))


def change(database: Database, *statements: LiteralString) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        for statement in statements:
            execute_for(conn, statement, database)


@pytest.fixture
def role(database: Database) -> Iterator[Database]:
    """A role with the name of a database, so that it can be used in statements."""
    role = database.aside(f"app_{database.name}")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE ROLE {} LOGIN CREATEDB", role)
    yield role
    with connect(database.maintenance, purpose="tests") as conn:
        for each in (database, database.next, database.previous, database.discarded):
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)
        execute_for(conn, "DROP ROLE {}", role)


CHANGES: dict[str, LiteralString] = {
    "setting": "ALTER DATABASE {} SET timezone = 'America/Santiago'",
    "setting with a quote": "ALTER DATABASE {} SET application_name = 'it''s'",
    "setting of an extension": "ALTER DATABASE {} SET school.year = '2026'",
    "list": 'ALTER DATABASE {} SET search_path = "$user", "a b", public',
    "revoked": "REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM public",
    "limit": "ALTER DATABASE {} CONNECTION LIMIT 7",
    "comment": "COMMENT ON DATABASE {} IS 'of the school''s own'",
}


@pytest.mark.sampled("setting", "revoked")
@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_what_was_changed_since_we_made_it_is_carried_over_again_and_again(
    database: Database, statement: LiteralString
) -> None:
    make(database)
    plain = properties(database)
    change(database, statement)
    changed = properties(database)
    assert changed != plain
    for _ in range(2):
        assert make(database) == []
        assert properties(database) == changed


def test_grants_and_settings_of_a_role_and_the_owner_are_carried_over(database: Database, role: Database) -> None:
    make(database)
    with connect(database.maintenance, purpose="tests") as conn:
        for statement in (
            "GRANT CONNECT ON DATABASE {} TO {}",
            "GRANT CREATE ON DATABASE {} TO {} WITH GRANT OPTION",
        ):
            execute_for(conn, statement, database, role)
        execute_for(conn, "ALTER ROLE {} IN DATABASE {} SET statement_timeout = '5s'", role, database)
    before = properties(database)
    assert make(database) == []
    assert properties(database) == before
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "ALTER DATABASE {} OWNER TO {}", database, role)
    assert make(database) == []
    assert properties(database)[("owner",)] == role.name


def test_what_new_migrations_set_wins(database: Database) -> None:
    make(database, "ALTER DATABASE {} SET work_mem = '5MB'")
    change(database, "ALTER DATABASE {} SET work_mem = '6MB'", "ALTER DATABASE {} SET timezone = 'UTC'")
    make(database, "ALTER DATABASE {} SET work_mem = '7MB'")
    found = properties(database)
    assert (found[("setting", "", "work_mem")], found[("setting", "", "TimeZone")]) == ("7MB", "UTC")


def test_what_only_old_migrations_had_set_is_not_carried_over(database: Database) -> None:
    make(database, "ALTER DATABASE {} SET work_mem = '5MB'")
    make(database)
    assert ("setting", "", "work_mem") not in properties(database)


def test_a_database_that_we_did_not_make_keeps_what_is_set_on_it(database: Database) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    change(database, *CHANGES.values())
    before = properties(database)
    make(database)
    assert properties(database) == before


def test_what_the_role_may_not_carry_over_is_named_with_its_statement(database: Database, role: Database) -> None:
    ours = replace(database, url=f"{database.url} user={role.name}")
    make(ours)
    change(database, "ALTER DATABASE {} SET log_statement = 'all'", "ALTER DATABASE {} SET timezone = 'UTC'")
    notes = make(ours)
    assert len(notes) == 1
    assert notes[0].endswith(f'ALTER DATABASE "{database.name}" SET "log_statement" = \'all\'')
    assert ("setting", "", "TimeZone") in properties(database)


def test_a_snapshot_comes_back_with_what_was_set_on_it(database: Database) -> None:
    make(database, "ALTER DATABASE {} SET timezone = 'America/Santiago'", "REVOKE CONNECT ON DATABASE {} FROM public")
    before = properties(database)
    snapshot = snapshots.save(database, "one", {}, lambda _: None)
    make(database)
    publication.create_next(database, protection.inspect(database), command="tests", template=snapshot.kept)
    publication.publish(database)
    assert properties(database) == before


@pytest.mark.parametrize(
    "options",
    [
        "ENCODING LATIN1 LOCALE 'C' LOCALE_PROVIDER libc",
        "ENCODING UTF8 LOCALE 'C' LOCALE_PROVIDER libc",
        "ENCODING UTF8 LOCALE 'C' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
    ],
)
def test_the_new_database_is_created_as_the_old_one_was(database: Database, options: LiteralString) -> None:
    created = "SELECT row(encoding, datcollate, datctype, datlocprovider, datlocale)::text FROM pg_database WHERE datname = %s"
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0 " + options, database)
        before = read_value(conn, created, database.name)
    make(database)
    with connect(database.maintenance, purpose="tests") as conn:
        assert read_value(conn, created, database.name) == before


def test_rows_that_others_commit_meanwhile_are_reported_by_table(database: Database) -> None:
    make(database)
    with connect(database, purpose="tests") as conn:
        conn.execute("CREATE TABLE pupils AS SELECT generate_series(1, 5) AS id")
    notes: list[str] = []
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database, purpose="tests") as conn:
        conn.execute("INSERT INTO pupils VALUES (6), (7)")
        conn.execute("UPDATE pupils SET id = 8 WHERE id = 1")
        conn.execute("DELETE FROM pupils WHERE id = 2")
    publication.publish(database, notes.append)
    assert notes == [
        (
            f"{database.previous.name}: public.pupils was written to meanwhile: 2 rows inserted, 1 updated, 1 deleted; "
            "what is live now lacks them"
        )
    ]


def test_a_swap_says_what_is_live_now(database: Database) -> None:
    make(database)
    publication.create_next(database, protection.inspect(database), command="inv full")
    with connect(database.next, purpose="tests") as conn:
        conn.execute("CREATE TABLE pupils AS SELECT generate_series(1, 5) AS id")
    assert ", 5 rows" in publication.publish(database).live
    live = publication.undo(database).live
    assert live.startswith("made 20")
    assert live.endswith("UTC by `tests`, 0 rows")


keys = st.tuples(st.just("setting"), st.just(""), st.sampled_from("abc"))
some = st.dictionaries(keys, st.sampled_from("123"))


@given(old=some, made=some, new=some)
def test_only_what_somebody_changed_and_no_migration_did_is_changed(
    old: dict[Key, str], made: dict[Key, str], new: dict[Key, str]
) -> None:
    changes = find_changes(old, made, new)
    result = {key: value for key, value in (new | changes).items() if value is not None}
    for key in {*old, *made, *new}:
        is_changed, is_migrated = old.get(key) != made.get(key), new.get(key) != made.get(key)
        assert result.get(key) == (old if is_changed and not is_migrated else new).get(key)
