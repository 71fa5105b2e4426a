"""`inv psql` opens the target's database, with the rights that its protection allows."""

import subprocess
from collections.abc import Callable

import pytest

from eduguard.postgres import Database

Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


def test_psql_reads_and_writes_the_database_of_an_open_target(inv: Inv, full: Database) -> None:
    done = inv("psql", "--command", "SELECT count(*) FROM students")
    assert "8" in done.stdout
    inv("psql", "--command", "UPDATE students SET first_name = 'Ada'")
    assert "Ada" in inv("psql", "--command", "SELECT DISTINCT first_name FROM students").stdout


@pytest.mark.slow
@pytest.mark.parametrize("protection", ["confirm", "refuse"])
def test_psql_is_read_only_on_a_protected_target(inv: Inv, full: Database, protection: str) -> None:
    own = {"INVOKE_TARGETS_LOCAL_PROTECTION": protection}
    assert "8" in inv("psql", "--command", "SELECT count(*) FROM students", **own).stdout
    done = inv("psql", "--command", "UPDATE students SET first_name = 'Ada'", check=False, **own)
    assert done.returncode == 1
    assert "read-only transaction" in done.stderr


def test_a_password_is_in_the_environment_of_psql_and_not_in_its_arguments(inv: Inv, full: Database) -> None:
    shown = inv(
        "psql",
        "--command",
        r"\! ps -ww -o args= -p $PPID; echo $PGPASSWORD",
        DATABASE_URL=f"{full.url} password=s3cret-word",
    ).stdout
    assert "--dbname" in shown
    assert shown.count("s3cret-word") == 1, shown


def test_the_next_command_of_the_line_runs_after_psql(inv: Inv, full: Database) -> None:
    row, _, rest = inv("psql", "--command", "SELECT 1", "status").stdout.partition("(1 row)")
    assert "?column?" in row
    assert "migrations  6 applied" in rest
