"""A template is found only for exactly what made it, is never half-made, and the newest few are kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from eduguard.commands import workflow
from eduguard.errors import EduguardError
from eduguard.fixtures import loading
from eduguard.fixtures.reading import Fixture
from eduguard.postgres.database import Database, connect, execute_for, exists, read_value
from eduguard.rebuild import clones, lock, protection, publication, templates
from eduguard.rebuild.clones import Kept
from eduguard.settings import Settings


def make(database: Database, settings: Settings, *, seeded: bool = False) -> str:
    publication.create_next(database, target="local", command="tests")
    with connect(database.next, purpose="tests") as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS marks (mark text)")
    return templates.keep(database, templates.hash_inputs(settings, seeded=seeded), seeded=seeded)


def on(database: Database, settings: Settings) -> Settings:
    return replace(settings, target=replace(settings.target, database_url=database.url))


def rebuild(settings: Settings) -> None:
    workflow.rebuild(settings, confirm="", command="tests", ask=lambda _: None, seeded=True, to="")


def find(database: Database, settings: Settings, *, seeded: bool = False) -> Kept | None:
    with connect(database.maintenance, purpose="tests") as conn:
        with_fixtures, empty = templates.find(conn, database, settings)
        return (with_fixtures or empty) if seeded else empty


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
    publication.create_next(database, target="local", command="the second", template=find(database, settings))
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
        assert templates.find(conn, database, settings) == (None, None)
        publication.create_next(database, target="local", command="tests")
        assert not exists(conn, kept.database)
    assert make(database, settings) == "; kept as a template"


def test_nobody_can_change_a_template(database: Database, settings: Settings) -> None:
    make(database, settings)
    kept = find(database, settings)
    assert kept
    with pytest.raises(EduguardError, match="not currently accepting connections"), connect(kept.database, purpose="x"):
        pytest.fail("a template must not be open")


def test_the_newest_three_are_kept(database: Database, settings: Settings) -> None:
    migration = next(settings.migrations_folder.glob("0001*[a-z].sql"))
    for number in range(5):
        migration.write_text(f"-- {number}\n")
        make(database, settings)
    with connect(database.maintenance, purpose="tests") as conn:
        assert len(clones.list_kept(conn, database, templates.prefix(database))) == 3
    assert find(database, settings)
    migration.write_text("-- 1\n")
    assert find(database, settings) is None


def test_a_database_with_settings_of_its_own_is_no_template(database: Database, settings: Settings) -> None:
    publication.create_next(database, target="local", command="tests")
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "ALTER DATABASE {} SET work_mem = '5MB'", database.next)
    assert "no template" in templates.keep(database, templates.hash_inputs(settings, seeded=False), seeded=False)
    assert find(database, settings) is None


def test_the_first_clones_try_every_strategy_and_the_fastest_is_remembered_on_the_server(
    database: Database, settings: Settings
) -> None:
    make(database, settings)  # tries one of them
    for _ in range(5):
        publication.create_next(database, target="local", command="tests", template=find(database, settings))
    measured = find(database, settings)
    assert measured
    assert {name: len(taken) for name, taken in measured.seconds.items()} == {"wal_log": 2, "file_copy": 2, "clone": 2}
    assert all(second > 0 for taken in measured.seconds.values() for second in taken)
    publication.create_next(database, target="local", command="tests", template=measured)
    assert find(database, settings) == measured, "it was measured again"
    templates.keep(database, templates.hash_inputs(settings, seeded=True), seeded=True)
    second = find(database, settings, seeded=True)
    assert second
    assert second.facts["seeded"]
    assert second.seconds == measured.seconds, "another template of the server does not know it"


def test_the_fixtures_of_a_seeded_clone_are_not_read_again_by_the_command_that_made_it(
    database: Database, settings: Settings
) -> None:
    settings = on(database, settings)
    with lock.hold_lock(database):
        rebuild(settings)
        assert "5 applied" in workflow.migrate(settings, in_next=True)
        assert "113 inserted" in workflow.seed(settings, in_next=True, command="tests")
    with lock.hold_lock(database):
        rebuild(settings)
        assert "nothing is pending" in workflow.migrate(settings, in_next=True)
        assert (
            workflow.seed(settings, in_next=True, command="tests")
            == f"{database.next.name}: cloned with the fixtures in it"
        )
    assert "113 unchanged" in workflow.seed(settings, in_next=True, command="tests"), (
        "another command takes nothing for granted"
    )


def test_fixtures_are_not_read_again_where_the_mark_of_the_live_database_tells_of_just_these(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = on(database, settings)
    read, before = list[Path](), loading.read_fixtures

    def count(folder: Path) -> tuple[Fixture, ...]:
        read.append(folder)
        return before(folder)

    def reset() -> int:
        read.clear()
        workflow.rebuild(settings, confirm="", command="tests", ask=lambda _: None, seeded=False, to="")
        workflow.migrate(settings, in_next=True)
        workflow.publish(settings)
        return len(read)

    monkeypatch.setattr(loading, "read_fixtures", count)
    assert [reset(), reset()] == [1, 0]
    migration = next(settings.migrations_folder.glob("0004*[a-z].sql"))
    migration.write_text(migration.read_text() + "-- changed\n")
    assert reset() == 0, "no fixture has changed"
    fixture = settings.seed_folder / "01_stages.yaml"
    sound = fixture.read_text()
    fixture.write_text(sound + "# changed\n")
    assert [reset(), reset()] == [1, 0]
    fixture.write_text(sound + "- id: [\n")
    for _ in range(2):
        with pytest.raises(EduguardError, match=r"01_stages\.yaml"):
            reset()


def test_a_fixture_that_changes_while_the_fixtures_are_read_is_read_again(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = on(database, settings)
    before = loading.read_fixtures

    def change(folder: Path) -> tuple[Fixture, ...]:
        rows = before(folder)
        with (folder / "01_stages.yaml").open("a") as fixture:
            fixture.write("# changed\n")
        return rows

    with monkeypatch.context() as patched:
        patched.setattr(loading, "read_fixtures", change)
        rebuild(settings)
    workflow.migrate(settings, in_next=True)
    workflow.publish(settings)
    origin = protection.inspect(database).origin
    assert origin
    assert origin.fixtures is None
    rebuild(settings)
    workflow.publish(settings, to="0000")
    origin = protection.inspect(database).origin
    assert origin
    assert origin.fixtures == templates.hash_fixtures(settings)


def test_a_mark_of_an_earlier_version_tells_of_no_fixtures(database: Database) -> None:
    publication.create_next(database, target="local", command="tests")
    with connect(database.next, purpose="tests") as conn:
        conn.execute("ALTER TABLE eduguard.origin DROP COLUMN fixtures")
    origin = protection.inspect(database.next).origin
    assert origin
    assert origin.fixtures is None


def test_a_fixture_edited_after_the_clone_was_made_is_refused(database: Database, settings: Settings) -> None:
    settings = on(database, settings)
    with lock.hold_lock(database):
        rebuild(settings)
        workflow.migrate(settings, in_next=True)
        workflow.seed(settings, in_next=True, command="tests")
        rebuild(settings)
        file = settings.seed_folder / "11_class_enrollments.yaml"
        file.write_text(file.read_text().rpartition("- id")[0])
        with pytest.raises(EduguardError, match="cloned before a file changed"):
            workflow.seed(settings, in_next=True, command="tests")
        rebuild(settings)
        assert "112 inserted" in workflow.seed(settings, in_next=True, command="tests")


def test_only_the_command_that_makes_a_database_may_keep_it(database: Database) -> None:
    publication.create_next(database, target="local", command="tests")
    assert not lock.is_being_made(database)
    with lock.hold_lock(database):
        assert not lock.is_being_made(database), "it was made before the command began"
        publication.create_next(database, target="local", command="tests")
        assert lock.is_being_made(database)
