"""A template is found only for exactly what made it, is never incomplete, and only the newest are kept."""

import json
from collections.abc import Iterator

import pytest
from psycopg import sql

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, execute_for, exists, read_value
from eduguard.rebuild import clones, lock, protection, publication, templates
from eduguard.rebuild.clones import Kept
from eduguard.rebuild.properties import read_properties
from eduguard.settings import Settings


def make(database: Database, settings: Settings, *, seeded: bool = False) -> str:
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.next, purpose="tests") as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS marks (mark text)")
    return templates.keep(database, templates.hash_inputs(settings, seeded=seeded), seeded=seeded)


def find(database: Database, settings: Settings, *, seeded: bool = False) -> Kept | None:
    with connect(database.maintenance, purpose="tests") as conn:
        return templates.find(conn, database, settings, seeded=seeded).template


def test_a_template_is_found_for_the_same_files_only(database: Database, settings: Settings) -> None:
    assert find(database, settings) is None
    assert make(database, settings) == "; kept as a template"
    assert find(database, settings)
    assert find(database.named("another"), settings) is None
    migration = next(settings.migrations_folder.glob("0001*[a-z].sql"))
    before = migration.read_text()
    migration.write_text(before + "-- changed\n")
    assert find(database, settings) is None
    migration.write_text(before)
    assert find(database, settings)


def test_a_changed_fixture_leaves_the_migrated_template_only(database: Database, settings: Settings) -> None:
    make(database, settings)
    make(database, settings, seeded=True)
    found = find(database, settings, seeded=True)
    assert found
    assert found.facts["seeded"]
    with (settings.seed_folder / "01_stages.yaml").open("a") as fixture:
        fixture.write("# changed\n")
    found = find(database, settings, seeded=True)
    assert found
    assert not found.facts["seeded"]


def test_a_clone_holds_what_the_template_holds_and_has_a_mark_of_its_own(
    database: Database, settings: Settings
) -> None:
    make(database, settings)
    publication.create_next(
        database, protection.inspect(database), command="the second", template=find(database, settings)
    )
    with connect(database.next, purpose="tests") as conn:
        assert read_value(conn, "SELECT count(*) FROM marks") == 0
        assert conn.execute("SELECT command FROM eduguard.origin").fetchall() == [("the second",)]


def test_an_unfinished_template_is_never_found_and_is_dropped_by_the_next_rebuild(
    database: Database, settings: Settings
) -> None:
    make(database, settings)
    kept = find(database, settings)
    assert kept
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "COMMENT ON DATABASE {} IS NULL", kept.database)
        assert find(database, settings) is None
        publication.create_next(database, protection.inspect(database), command="tests")
        assert not exists(conn, kept.database)
    assert make(database, settings) == "; kept as a template"


@pytest.fixture
def stranger(database: Database) -> Iterator[Database]:
    """The maintenance database, opened by another role that may create databases."""
    role = f"stranger_{database.name}"
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE ROLE {} LOGIN CREATEDB", database.aside(role))
    yield Database.from_url(f"{database.maintenance.url} user={role}")
    with connect(database.maintenance, purpose="tests") as conn:
        for (name,) in conn.execute(
            "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s", [role]
        ).fetchall():
            execute_for(conn, "DROP DATABASE {} WITH (FORCE)", database.aside(name))
        execute_for(conn, "DROP ROLE {}", database.aside(role))


def test_a_template_that_another_role_planted_is_passed_over_and_named(
    database: Database, settings: Settings, stranger: Database
) -> None:
    make(database, settings)
    kept = find(database, settings)
    assert kept
    with connect(database.maintenance, purpose="tests") as conn:
        clones.drop(conn, kept.database)
    with connect(stranger, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {}", kept.database)
        clones.disown(conn, kept.database)
        execute_for(conn, "ALTER DATABASE {} ALLOW_CONNECTIONS false", kept.database)
        facts = sql.Literal(json.dumps(dict(kept.facts)))
        conn.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(kept.database.name), facts))
    with connect(database.maintenance, purpose="tests") as conn:
        found = templates.find(conn, database, settings, seeded=True)
    assert found.template is None
    named = f"{kept.database.name} (it belongs to the role stranger_{database.name})"
    assert list(map(str, found.strangers)) == [named]
    assert make(database, settings) == f"; no template: {named} is in the way"
    with connect(database.maintenance, purpose="tests") as conn:
        assert exists(conn, kept.database), "a database of another role was dropped"


def test_a_database_with_a_comment_that_is_not_ours_is_passed_over_and_named(
    database: Database, settings: Settings
) -> None:
    make(database, settings)
    kept = find(database, settings)
    assert kept
    for comment in ("mine", "{}", "[]", '{"made_at": "now", "size": 1}'):
        with connect(database.maintenance, purpose="tests") as conn:
            name = sql.Identifier(kept.database.name)
            conn.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(comment)))
            found = templates.find(conn, database, settings, seeded=True)
            assert found.template is None
            assert list(map(str, found.strangers)) == [f"{kept.database.name} (its comment is not ours)"]
        assert "is in the way" in make(database, settings)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {}", kept.database)


def test_nobody_can_change_a_template(database: Database, settings: Settings) -> None:
    make(database, settings)
    kept = find(database, settings)
    assert kept
    with pytest.raises(EduguardError, match="not currently accepting connections"), connect(kept.database, purpose="x"):
        pytest.fail("a template must not be open")


@pytest.mark.slow
def test_the_newest_three_are_kept(database: Database, settings: Settings) -> None:
    migration = next(settings.migrations_folder.glob("0001*[a-z].sql"))
    for number in range(5):
        migration.write_text(f"-- {number}\n")
        make(database, settings)
    with connect(database.maintenance, purpose="tests") as conn:
        assert len(clones.list_aside(conn, database, templates.prefix(database)).kept) == 3
    assert find(database, settings)
    migration.write_text("-- 1\n")
    assert find(database, settings) is None


def test_a_clone_has_the_settings_and_grants_of_its_template(database: Database, settings: Settings) -> None:
    publication.create_next(database, protection.inspect(database), command="tests")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "ALTER DATABASE {} SET work_mem = '5MB'", database.next)
        execute_for(conn, "REVOKE CONNECT ON DATABASE {} FROM public", database.next)
        before = read_properties(conn, database.next)
    assert (
        templates.keep(database, templates.hash_inputs(settings, seeded=False), seeded=False) == "; kept as a template"
    )
    state = protection.inspect(database)
    publication.create_next(database, state, command="tests", template=find(database, settings))
    with connect(database.maintenance, purpose="tests") as conn:
        assert read_properties(conn, database.next) == before
        assert before[("setting", "", "work_mem")] == "5MB"


def test_only_the_command_that_makes_a_database_may_keep_it(database: Database) -> None:
    publication.create_next(database, protection.inspect(database), command="tests")
    assert not lock.is_being_made(database)
    with lock.hold_lock(database):
        assert not lock.is_being_made(database), "it was made before the command began"
        publication.create_next(database, protection.inspect(database), command="tests")
        assert lock.is_being_made(database)
