"""Our queries work with any session settings that a server, a role or the environment may set."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eduguard import fixtures
from eduguard.errors import EduguardError
from eduguard.migrations import runner
from eduguard.postgres import Database, connect, execute_for, read_value
from eduguard.rebuild import protection, publication
from eduguard.rebuild.lock import hold_lock
from eduguard.schools import Place, Scope
from eduguard.sync import read_rows

ROOT = Path(__file__).parents[2]
Give = Callable[[str], None]


@pytest.fixture
def give(seeded: Database, monkeypatch: pytest.MonkeyPatch) -> Give:
    """Set a setting for every session of this test."""
    assert seeded
    return lambda setting: monkeypatch.setenv("PGOPTIONS", f"-c {setting}")


@pytest.mark.sampled("DateStyle=German", "search_path=nowhere", "statement_timeout=500")
@pytest.mark.parametrize(
    "setting",
    [
        "client_encoding=SQL_ASCII",
        "client_encoding=LATIN1",
        "DateStyle=German",
        "DateStyle=SQL",
        "IntervalStyle=sql_standard",
        "TimeZone=Pacific/Kiritimati",
        "standard_conforming_strings=off",
        "bytea_output=escape",
        "extra_float_digits=-15",
        "default_transaction_isolation=serializable",
        "search_path=nowhere",
        "array_nulls=off",
        "transform_null_equals=on",
        "quote_all_identifiers=on",
        "statement_timeout=500",
        "lock_timeout=1",
        "transaction_timeout=100",
        "idle_in_transaction_session_timeout=1",
    ],
)
def test_a_database_is_made_filled_and_read(database: Database, give: Give, setting: str) -> None:
    give(setting)
    publication.create_next(database, protection.inspect(database), command="tests")
    runner.apply(database.next, ROOT / "migrations")
    seeds = fixtures.read_fixtures(ROOT / "seed_data")
    with connect(database.next, purpose="tests") as conn:
        assert fixtures.load_fixtures(conn, seeds, alone=True).summary().startswith("129 rows")
        assert len(read_rows(conn, Scope(place=Place(collection="any", school="school-001")))) == 18
    publication.publish(database, lambda _: None)
    state = protection.inspect(database)
    assert state.mark
    assert state.mark.created_at.tzinfo


@pytest.fixture
def ascii_database(database: Database) -> Iterator[Database]:
    """A database of a server that was set up without an encoding."""
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(
            conn, "CREATE DATABASE {} TEMPLATE template0 ENCODING SQL_ASCII LOCALE 'C' LOCALE_PROVIDER libc", database
        )
    return database


def test_a_database_without_an_encoding_is_read_and_is_replaced_by_one_with_utf8(ascii_database: Database) -> None:
    with connect(ascii_database, purpose="tests") as conn:
        conn.execute("CREATE TABLE pupils AS SELECT 'Muñoz' AS name")
        assert read_value(conn, "SELECT name FROM pupils") == "Muñoz"
    publication.create_next(ascii_database, protection.inspect(ascii_database), command="tests")
    with connect(ascii_database.next, purpose="tests") as conn:
        assert read_value(conn, "SHOW server_encoding") == "UTF8"


def test_the_lock_is_held_while_its_session_is_idle(database: Database, give: Give) -> None:
    give("idle_session_timeout=50")
    with hold_lock(database):
        time.sleep(0.2)
        with connect(database.maintenance, purpose="tests") as conn:
            holders = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ %s"
            assert read_value(conn, holders, f"^eduguard lock .*process {os.getpid()} ") == 1


@pytest.mark.parametrize("setting", ["default_transaction_read_only=on"])
def test_what_a_session_may_not_do_is_one_error(database: Database, give: Give, setting: str) -> None:
    give(setting)
    with pytest.raises(EduguardError):
        publication.create_next(database, protection.inspect(database), command="tests")


PINNED = {
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "search_path": "public",
    "row_security": "off",
    "array_nulls": "on",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "role": "none",
}
OTHERWISE = [
    "DateStyle = German",
    "IntervalStyle = iso_8601",
    "TimeZone = 'Asia/Tokyo'",
    "search_path = app, public",
    "row_security = on",
    "array_nulls = off",
    "statement_timeout = '1h'",
    "lock_timeout = '1h'",
    "role = pg_read_all_data",
]


@pytest.mark.parametrize("whose", ["DATABASE {0}", "ROLE {1}", "ROLE {1} IN DATABASE {0}"])
def test_a_session_is_pinned_whatever_database_and_role_say(empty_database: Database, whose: str) -> None:
    with connect(empty_database.maintenance, purpose="tests") as conn:
        role = f"pinned_{empty_database.name}"
        conn.execute(f"CREATE ROLE {role} LOGIN; GRANT pg_read_all_data TO {role}")
        owner = whose.format(empty_database.name, role)
        try:
            for setting in OTHERWISE:
                if not (setting.startswith("role") and owner.startswith("DATABASE")):
                    conn.execute(f"ALTER {owner} SET {setting}")
            theirs = Database.from_url(empty_database.url.replace("user=postgres", f"user={role}")).named(
                empty_database.name
            )
            with connect(theirs, purpose="tests") as session:
                assert {name: read_value(session, f"SHOW {name}") for name in PINNED} == PINNED
                assert read_value(session, "SELECT current_user") == role
        finally:
            conn.execute(f"ALTER DATABASE {empty_database.name} RESET ALL; DROP ROLE {role}")


def test_a_time_without_an_offset_is_utc_whoever_seeds(database: Database, give: Give, tmp_path: Path) -> None:
    (tmp_path / "1_bells.yaml").write_text("- {id: 1, rings_at: 2026-03-09 08:30}\n")
    seeds = fixtures.read_fixtures(tmp_path)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    with connect(database, purpose="tests") as conn:
        conn.execute("CREATE TABLE bells (id int PRIMARY KEY, rings_at timestamptz NOT NULL)")
    for zone, inserted in (("America/Santiago", 1), ("Asia/Tokyo", 0)):
        give(f"TimeZone={zone}")
        with connect(database, purpose="tests") as conn:
            assert f"{inserted} inserted, 0 updated" in fixtures.load_fixtures(conn, seeds).summary()
            assert read_value(conn, "SELECT (rings_at AT TIME ZONE 'UTC')::text FROM bells") == "2026-03-09 08:30:00"
