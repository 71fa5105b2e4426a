"""`inv A B C` is `inv A && inv B && inv C`: the same rows, the same databases, the same exit status."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eduguard.postgres import Database, connect, execute_for, exists, read_value
from eduguard.rebuild import lock, mark

Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")

COMMANDS = st.sampled_from(
    [
        "full",
        "reset",
        "undo",
        "seed",
        "seed-full",
        "sync-faces --check",
        "rebuild",
        "migrate",
        "migrate --next",
        "publish",
        "rollback",
    ]
)
ROWS = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT id || first_name || grade_id AS r FROM students
    UNION ALL SELECT id || student_id || external_image_id || face_id FROM student_faces
    UNION ALL SELECT c::text FROM classes c
) rows
"""


class Side:
    """A database on which the commands run, on one line or on several."""

    def __init__(self, inv: Inv, database: Database, original: Database) -> None:
        self._inv, self.database, self._original = inv, replace(database, target="local"), original

    @property
    def _all(self) -> list[Database]:
        live = self.database
        return [live, live.next, live.previous, live.discarded]

    def begin(self) -> None:
        """Make a full database of ours, and keep only the templates beside it, which make the next runs short."""
        with connect(self.database.maintenance, purpose="tests") as conn:
            for each in self._all:
                execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)
            execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", self.database, self._original)
        with connect(self.database, purpose="tests") as conn, conn.transaction():
            mark.write_mark(conn, self.database, command="inv full", inputs=None, replaces=None, written={})

    def run(self, lines: list[str]) -> tuple[object, ...]:
        """Run the lines until one fails; return what that leaves."""
        self.begin()
        status = 0
        for line in lines:
            if status := self._inv(*line.split(), check=False).returncode:
                break
        return status, self._present(), [self._read(each) for each in self._all]

    def _present(self) -> list[bool]:
        with lock.hold_lock(self.database):  # the server may still drop what was discarded
            pass
        with connect(self.database.maintenance, purpose="tests") as conn:
            return [exists(conn, each) for each in self._all]

    def _read(self, database: Database) -> str | None:
        with connect(self.database.maintenance, purpose="tests") as conn:
            if not exists(conn, database):
                return None
        with connect(database, purpose="tests") as conn:
            is_migrated = read_value(
                conn, "SELECT count(*) = 3 FROM pg_class WHERE relname IN ('students', 'student_faces', 'classes')"
            )
            return str(read_value(conn, ROWS)) if is_migrated else "no tables"


@pytest.fixture(scope="module")
def sides(run_inv: Callable[[Database], Inv], rebuilt: Database, server_url: str) -> Iterator[tuple[Side, Side]]:
    databases = [Database.from_url(server_url).named(f"compose_{name}") for name in ("line", "lines")]
    yield tuple(Side(run_inv(each), each, rebuilt) for each in databases)  # type: ignore[misc]
    with connect(databases[0].maintenance, purpose="tests") as conn:
        for live in databases:
            for each in (live, live.next, live.previous, live.discarded):
                execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)


@pytest.mark.slow
@example(commands=["full", "reset", "full"])
@example(commands=["reset", "full", "undo"])
@example(commands=["reset", "undo", "reset"])
@given(commands=st.lists(COMMANDS, min_size=3, max_size=3))
@settings(max_examples=17, derandomize=True)
def test_three_commands_on_one_line_are_three_lines(sides: tuple[Side, Side], commands: list[str]) -> None:
    line, lines = sides
    with ThreadPoolExecutor(2) as both:
        together = both.submit(line.run, [" ".join(commands)])
        apart = both.submit(lines.run, commands)
    assert together.result() == apart.result()


def test_full_and_reset_on_one_line_each_run_fully(inv: Inv, full: Database) -> None:
    steps = [line.split()[0] for line in inv("full", "reset", "full").stdout.splitlines()]
    whole = ["rebuild", "migrate", "seed", "sync", "sync", "publish", "full", "verify"]
    assert steps == [*whole, "rebuild", "migrate", "publish", "reset", *whole]


def test_what_follows_a_failure_does_not_run(inv: Inv, full: Database) -> None:
    done = inv("undo", "reset", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    with connect(full, purpose="tests") as conn:
        assert read_value(conn, "SELECT count(*) FROM students") == 8
