"""A spare is a template's clone made in advance, by the server after a command has ended, and taken by a rename."""

from collections.abc import Callable

import psycopg
import pytest

from eduguard.errors import EduguardError
from eduguard.postgres.database import Database, connect, execute_for, exists, read_value
from eduguard.rebuild import clones, lock, publication, spares, templates
from eduguard.rebuild.clones import Kept

Settle = Callable[[Database], None]
CLONES = 5  # after which every way of cloning has been measured; making the template is the first


@pytest.fixture
def template(database: Database) -> Kept:
    """A template with a row in it, which has been cloned often enough."""
    publication.create_next(database, target="local", command="tests")
    with connect(database.next, purpose="tests") as conn:
        conn.execute("CREATE TABLE marks AS SELECT 'of the template' AS mark")
    templates.keep(database, "the hash", seeded=False)
    for _ in range(CLONES):
        publication.create_next(database, target="local", command="tests", template=newest(database))
    return newest(database)


def newest(database: Database) -> Kept:
    with connect(database.maintenance, purpose="tests") as conn:
        return clones.list_kept(conn, database, templates.prefix(database))[0]


def found(database: Database) -> list[Database]:
    with connect(database.maintenance, purpose="tests") as conn:
        rows = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [spares.prefix(database)])
        return [database.aside(name) for (name,) in rows]


def rebuild(database: Database, template: Kept | None) -> None:
    with lock.hold_lock(database):
        publication.create_next(database, target="local", command="rebuild", template=template)
        publication.publish(database)


def publish_and_fail(database: Database, template: Kept) -> None:
    publication.create_next(database, target="local", command="tests", template=template)
    publication.publish(database)
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database.next)
    with connect(database.next, purpose="tests") as conn:
        conn.execute("CREATE TABLE theirs (id int)")
    publication.create_next(database, target="local", command="tests")


def present(database: Database, other: Database) -> bool:
    with connect(database.maintenance, purpose="tests") as conn:
        return exists(conn, other)


def identity(database: Database, name: str) -> int:
    with connect(database.maintenance, purpose="tests") as conn:
        return int(read_value(conn, "SELECT oid FROM pg_database WHERE datname = %s", name))


def test_a_spare_is_made_when_the_lock_is_let_go_and_taken_by_the_next_rebuild(
    database: Database, template: Kept, settle: Settle
) -> None:
    rebuild(database, template)
    settle(database)
    (spare,) = found(database)
    made = identity(database, spare.name)
    rebuild(database, template)
    assert identity(database, database.name) == made
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT mark FROM marks") == "of the template"
        assert conn.execute("SELECT command FROM eduguard.origin").fetchall() == [("rebuild",)]
    settle(database)
    (another,) = found(database)
    assert identity(database, another.name) != made


def test_a_spare_is_made_in_a_way_that_leaves_nothing_to_be_written_to_disk(
    database: Database, template: Kept, settle: Settle
) -> None:
    fast = {**template.facts, "seconds": {**template.seconds, "wal_log": [1e-6, 1e-6]}}
    rebuild(database, Kept(database=template.database, facts=fast))
    settle(database)
    (spare,) = found(database)
    with connect(database.maintenance, purpose="tests") as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS pg_buffercache")
        unwritten = "SELECT count(*) FROM pg_buffercache WHERE isdirty AND reldatabase = %s"
        assert read_value(conn, unwritten, identity(database, spare.name)) == 0
        conn.execute("DROP EXTENSION pg_buffercache")


def test_nobody_can_change_a_spare_and_status_names_it(database: Database, template: Kept, settle: Settle) -> None:
    rebuild(database, template)
    settle(database)
    (spare,) = found(database)
    with pytest.raises(EduguardError, match="not currently accepting connections"), connect(spare, purpose="tests"):
        pytest.fail("a spare must not be open")
    assert spare.name in publication.list_beside(database)


def test_no_spare_is_made_before_every_way_of_cloning_is_measured(database: Database, settle: Settle) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        for measured in clones.list_kept(conn, database, "eduguard_"):
            clones.disown(conn, measured.database)
    with lock.hold_lock(database):
        publication.create_next(database, target="local", command="tests")
        templates.keep(database, "the hash", seeded=False)
    rebuild(database, newest(database))
    settle(database)
    assert found(database) == []


def test_no_spare_is_made_of_a_snapshot(database: Database, template: Kept, settle: Settle) -> None:
    spares = "SELECT datname FROM pg_database WHERE datname ~ 'spare' ORDER BY 1"
    with connect(database.maintenance, purpose="tests") as conn:
        before = conn.execute(spares).fetchall()
        aside = database.aside(f"eduguard_snapshot_{database.name}")
        snapshot = clones.keep(conn, database.next, aside, template.facts, lambda _: None)
        rebuild(database, snapshot)
        settle(database)
        clones.drop(conn, snapshot.database)
        assert conn.execute(spares).fetchall() == before


def test_a_spare_and_its_template_are_dropped_by_the_rebuild_after_the_one_that_retired_it(
    database: Database, template: Kept, settle: Settle
) -> None:
    rebuild(database, template)
    with lock.hold_lock(database):
        publication.create_next(database, target="local", command="tests")
        for number in range(3):
            templates.keep(database, f"hash {number}", seeded=False)
    settle(database)
    assert len(found(database)) == 2
    assert present(database, template.database)
    rebuild(database, newest(database))
    settle(database)
    assert not present(database, template.database)
    (spare,) = found(database)
    assert spare.name.rpartition("_")[2] == newest(database).database.name.rpartition("_")[2]
    with connect(database.maintenance, purpose="tests") as conn:
        assert len(clones.list_kept(conn, database, templates.prefix(database))) == 3


@pytest.mark.fault
def test_a_spare_that_was_dropped_by_half_is_not_taken(database: Database, template: Kept, settle: Settle) -> None:
    rebuild(database, template)
    settle(database)
    (spare,) = found(database)
    with connect(database.maintenance, purpose="tests") as conn:
        conn.execute("UPDATE pg_database SET datconnlimit = -2 WHERE datname = %s", [spare.name])
    rebuild(database, template)
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT mark FROM marks") == "of the template"


@pytest.mark.fault
def test_a_spare_that_cannot_be_made_fails_nothing(database: Database, template: Kept, settle: Settle) -> None:
    with lock.hold_lock(database):
        publication.create_next(database, target="local", command="tests", template=template)
        publication.publish(database)
        with connect(database.maintenance, purpose="tests") as conn:
            clones.drop(conn, template.database)
    settle(database)
    assert found(database) == []


def test_a_rebuild_drops_what_was_discarded_while_it_goes_on(database: Database, template: Kept) -> None:
    for _ in range(3):
        rebuild(database, None)
    old = identity(database, database.discarded.name)
    rebuild(database, template)
    assert identity(database, database.discarded.name) != old


@pytest.mark.fault
def test_what_cannot_be_dropped_is_left_and_fails_nothing(database: Database, template: Kept) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        stuck = database.aside(templates.prefix(database) + "stuck")
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", stuck)
    with psycopg.connect(stuck.url, autocommit=True) as conn:
        conn.execute("BEGIN")
        conn.execute("CREATE TABLE anything (id int)")
        conn.execute("PREPARE TRANSACTION 'stuck'")
        rebuild(database, template)
        assert present(database, stuck)
        conn.execute("ROLLBACK PREPARED 'stuck'")
    rebuild(database, template)
    assert not present(database, stuck)


@pytest.mark.fault
def test_a_command_that_fails_begins_no_spare_and_the_next_one_does(
    database: Database, template: Kept, settle: Settle
) -> None:
    """The server may be going down, and would leave half of one on its disk."""
    with pytest.raises(EduguardError, match="in the way"), lock.hold_lock(database):
        publish_and_fail(database, template)
    settle(database)
    assert found(database) == []
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {}", database.next)
    rebuild(database, template)
    settle(database)
    assert len(found(database)) == 1


def test_a_spare_is_the_business_of_one_database(database: Database, template: Kept, settle: Settle) -> None:
    rebuild(database, template)
    settle(database)
    other = database.named(f"{database.name}_other")
    assert found(other) == []
    with connect(database.maintenance, purpose="tests") as conn:
        assert templates.list_unwanted(conn, other) == []
