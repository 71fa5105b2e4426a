"""A rollback works on a copy of the database and publishes it; undo brings the earlier database back."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database, connect, execute_for, read_value

ROOT = Path(__file__).parents[2]
MIGRATIONS = len(list((ROOT / "migrations").glob("*.rollback.sql")))
CHECKSUM = "SELECT md5(string_agg(f::text, ' ' ORDER BY id)) FROM student_faces f"
Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


def test_a_rollback_is_refused_where_replacing_is(inv: Inv, full: Database) -> None:
    done = inv("rollback", check=False, INVOKE_TARGETS_LOCAL_PROTECTION="refuse")
    assert (done.returncode, "`inv rollback` is refused" in done.stderr) == (1, True)


@pytest.mark.sampled
@pytest.mark.parametrize("count", [-1, 0, MIGRATIONS + 1, 99])
def test_a_count_that_is_not_applied_is_refused_and_nothing_is_made(
    inv: Inv, full: Database, value: Any, count: int
) -> None:
    before = value(full, CHECKSUM)
    done = inv("rollback", "--count", str(count), check=False)
    assert done.returncode == 1
    assert f"--count {count}: {MIGRATIONS} migrations are applied to {full.name}" in done.stderr
    assert value(full, CHECKSUM) == before
    assert "pending" not in inv("migrate", "--plan").stdout
    assert beside(full) == set()


def beside(database: Database) -> set[str]:
    with connect(database.maintenance, purpose="tests") as conn:
        found = conn.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [database.name])
        return {name for (name,) in found} - {database.name}


def test_undo_brings_back_what_was_rolled_back(inv: Inv, full: Database, value: Any) -> None:
    before = value(full, CHECKSUM)
    assert "`inv undo` brings" in inv("rollback", "--count", str(MIGRATIONS)).stdout
    assert value(full, "SELECT to_regclass('student_faces')") is None
    inv("undo")
    assert value(full, CHECKSUM) == before


@pytest.mark.slow
def test_a_rollback_that_fails_leaves_the_database_serving(
    inv: Inv, full: Database, tmp_path: Path, value: Any
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in (ROOT / "migrations").glob("*.sql"):
        (folder / file.name).write_bytes(file.read_bytes())
    broken = max(folder.glob("*.rollback.sql"))
    broken.write_text("DROP TABLE student_faces;\nSELECT 1 / 0;\n")
    before = value(full, CHECKSUM)
    done = inv("rollback", check=False, INVOKE_MIGRATIONS_FOLDER=str(folder))
    assert (done.returncode, f"{broken}:2" in done.stderr) == (1, True), done.stderr
    assert value(full, CHECKSUM) == before
    assert "rolled back" in inv("rollback").stdout


@pytest.mark.slow
def test_what_is_set_on_the_database_and_by_whom_is_carried_through_a_rollback(inv: Inv, full: Database) -> None:
    inv("reset", "--confirm", full.name)
    with connect(full.maintenance, purpose="tests") as conn:
        execute_for(conn, "ALTER DATABASE {} SET work_mem = '5MB'", full)
        execute_for(conn, "ALTER DATABASE {} CONNECTION LIMIT 7", full)
        query = "SELECT datconnlimit, setconfig FROM pg_database JOIN pg_db_role_setting s ON setdatabase = oid WHERE datname = %s"
        for command in ("rollback", "reset"):  # a user's setting stays, because it is not a migration's
            inv(command)
            assert conn.execute(query, [full.name]).fetchall() == [(7, ["work_mem=5MB"])], command


def test_a_database_of_more_than_10_gb_is_copied_only_after_its_name_was_given(
    inv: Inv, full: Database, state_folder: Path
) -> None:
    with connect(full.maintenance, purpose="tests") as conn:
        oid = read_value(conn, "SELECT oid FROM pg_database WHERE datname = %s", full.name)
        large = state_folder / "postgres" / "data" / "base" / str(oid) / "999999"
        with large.open("wb") as file:
            file.truncate(11_000_000_000)  # a sparse file: it takes no space on disk
        try:
            done = inv("rollback", check=False)
        finally:
            large.unlink()
    assert done.returncode == 1
    assert f"{full.name} holds 11.0 GB, which would be copied: nothing was done" in done.stderr
    assert f"pass --confirm {full.name}" in done.stderr
    assert beside(full) == set()
