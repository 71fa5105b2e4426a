"""Snapshots and single migrations, as a user runs them."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from eduguard.postgres import Database, connect, execute_for
from eduguard.postgres.programs import find_binaries

ROOT = Path(__file__).parents[2]
MIGRATIONS = len(list((ROOT / "migrations").glob("*.rollback.sql")))
Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


def schema(database: Database, folder: Path) -> str:
    program = find_binaries(folder, None) / "pg_dump"
    command = [program, "--schema-only", "--exclude-schema=eduguard", "--exclude-table=*yoyo*", database.url]
    dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in dumped.splitlines() if not line.startswith("\\"))


def test_a_snapshot_comes_back_and_undo_takes_it_away_again(inv: Inv, full: Database, value: Any) -> None:
    assert "24 faces in tests, tests-2" in inv("snapshot", "save", "before-trip").stdout
    inv("reset")
    assert "before-trip is" in inv("snapshot", "restore", "before-trip").stdout
    assert value(full, "SELECT count(*) FROM students") == 8
    inv("undo")
    assert value(full, "SELECT count(*) FROM students") == 0
    inv("snapshot", "restore", "before-trip")
    assert value(full, "SELECT count(*) FROM students") == 8


@pytest.mark.slow
def test_a_snapshot_says_that_the_collection_is_another(inv: Inv, full: Database) -> None:
    inv("snapshot", "save", "one")
    assert "moved" not in inv("snapshot", "list").stdout
    inv("enrol", INVOKE_TARGETS_LOCAL_COLLECTION="another")
    done = inv("snapshot", "restore", "one", INVOKE_TARGETS_LOCAL_COLLECTION="another")
    assert "its FaceIds are of collection tests, tests-2: run `inv sync-faces`" in done.stdout


@pytest.mark.slow
def test_a_snapshot_says_that_the_collection_moved_on(inv: Inv, full: Database) -> None:
    own = {"INVOKE_TARGETS_LOCAL_COLLECTION": "moving"}
    inv("snapshot", "save", "early", **own)
    inv("enrol", **own)
    assert "moving, tests-2 moved on from 6 faces to 24 faces" in inv("snapshot", "list", **own).stdout


@pytest.mark.slow
def test_snapshots_are_refused_by_name(inv: Inv, full: Database) -> None:
    inv("snapshot", "save", "one")
    for arguments, message in (
        (("snapshot", "save", "one"), "There is a snapshot one already"),
        (("snapshot", "save", "../x"), "'../x' is not a snapshot's name"),
        (("snapshot", "restore", "two"), "There is no snapshot two"),
        (("snapshot", "delete", "two"), "There are: one"),
    ):
        done = inv(*arguments, check=False)
        assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    inv("snapshot", "delete", "one")
    assert inv("snapshot", "list").stdout == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "COMMENT ON DATABASE {} IS NULL",
        "COMMENT ON DATABASE {} IS 'the good one'",
        "COMMENT ON DATABASE {} IS NULL; ALTER DATABASE {} ALLOW_CONNECTIONS true",
    ],
    ids=["no comment", "another comment", "no comment and open"],
)
@pytest.mark.parametrize("remedy", ["To keep it: ", "To drop it: "])
def test_a_snapshot_that_somebody_changed_is_never_dropped_and_both_ways_out_work(
    inv: Inv, full: Database, change: str, remedy: str
) -> None:
    inv("snapshot", "save", "before-trip")
    aside = next(name for name in beside(inv) if "_snapshot_" in name)
    with connect(full.maintenance, purpose="tests") as conn:
        for statement in change.split("; "):
            execute_for(conn, statement, full.aside(aside))  # type: ignore[arg-type]
        before = oid(conn, aside)
        for words in ("save", "restore", "delete"):
            done = inv("snapshot", words, "before-trip", check=False)
            assert (done.returncode, f"{aside} is in the way" in done.stderr) == (1, True), done.stderr
            assert oid(conn, aside) == before
        told = re.findall(f"{remedy}(.*)", done.stderr)[0].replace("another_name", f"kept_{full.name}")
        conn.execute(told)
        assert oid(conn, aside) is None
        assert oid(conn, f"kept_{full.name}") == (before if "keep" in remedy else None)
        inv("snapshot", "save", "before-trip")
        execute_for(conn, "DROP DATABASE IF EXISTS {}", full.aside(f"kept_{full.name}"))


def oid(conn: psycopg.Connection, name: str) -> int | None:
    row = conn.execute("SELECT oid FROM pg_database WHERE datname = %s", [name]).fetchone()
    return row[0] if row else None


def beside(inv: Inv) -> list[str]:
    return json.loads(inv("status", "--json").stdout)["database"]["beside"]


def test_a_snapshot_keeps_from_an_open_session(inv: Inv, full: Database) -> None:
    with connect(full, purpose="x") as conn:
        conn.execute("SET application_name = 'school app'")
        done = inv("snapshot", "save", "one")
    assert "ends session" in done.stderr
    assert "school app" in done.stderr


@pytest.mark.slow
def test_status_names_every_database_beside_the_live_one(inv: Inv, full: Database) -> None:
    inv("full")
    inv("rebuild")
    inv("snapshot", "save", "one")
    found = beside(inv)
    assert found[:2] == [full.next.name, full.previous.name]
    assert [name.split("_")[1] for name in found[2:]] == ["snapshot", "template", "template"]


@pytest.mark.slow
def test_up_down_up_gives_the_same_schema(inv: Inv, database: Database, state_folder: Path) -> None:
    inv("reset")
    folder = state_folder / "postgres"
    whole = schema(database, folder)
    assert "CREATE TABLE public.student_faces" in whole
    for count in range(1, MIGRATIONS + 1):
        assert "rolled back" in inv("rollback", "--count", str(count)).stdout
        assert f"{count} applied" in inv("migrate").stdout
        assert schema(database, folder) == whole
    inv("rollback", "--count", str(MIGRATIONS))
    assert "CREATE TABLE" not in schema(database, folder)


def test_the_plan_shows_what_is_pending_and_changes_nothing(inv: Inv, full: Database) -> None:
    inv("rollback")
    shown = inv("migrate", "--plan").stdout.splitlines()
    assert shown[-1].split() == ["plan", "0005_add_schools", "pending"]
    assert len([line for line in shown if line.endswith(" applied")]) == MIGRATIONS - 1
    assert inv("migrate", "--plan").stdout.splitlines() == shown


def test_a_new_migration_has_the_next_number_and_can_be_applied(inv: Inv, full: Database, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    own = {"INVOKE_MIGRATIONS_FOLDER": str(tmp_path / "migrations")}
    assert "0006_add_nothing.sql" in inv("migration", "new", "add_nothing", **own).stdout
    assert "1 applied" in inv("migrate", **own).stdout
    refused = inv("migration", "new", "Add Nothing", check=False, **own)
    assert "is not a migration's name" in refused.stderr


@pytest.mark.slow
def test_a_reset_to_an_older_version_keeps_its_rows_when_migrated_over(
    inv: Inv, database: Database, value: Any
) -> None:
    done = inv("reset", "--to", "0001")
    assert "2 applied, 0000_initial_schema to 0001" in done.stdout
    with connect(database, purpose="tests") as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS id")
    assert f"{MIGRATIONS - 2} applied, 0002" in inv("migrate").stdout
    assert value(database, "SELECT count(*) FROM kept") == 1
    assert inv("reset", "--to", "9", check=False).returncode == 1
    assert f"{MIGRATIONS} applied" in inv("reset").stdout, "a shortened database was kept as a template"
