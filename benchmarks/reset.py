"""Compare a reset, warm and cold, with other ways to get the same tables and rows; print the medians.

The ways run in turn. The benchmark starts its own server in a temporary folder, on port 5432 of 127.0.0.1, and never
touches the checkout's server. A bare ListFaces server provides the faces, one for each student. The other tools are
those found in the folder that `sh benchmarks/reset_tools.sh FOLDER` fills.
"""

import argparse
import compileall
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bare_invoke
import own_place
import reset_tools
from eduguard.postgres import Database, connect, embedded, execute_for
from eduguard.postgres.programs import find_binaries
from eduguard.rebuild import clones, lock, templates
from reset_tools import Place
from school import make_tables, write_fixtures, write_sql

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
SIZES = (600, 6000)  # students: 5.6 k and 54 k rows
# Does the database have rows at the end? Does it replace the old one at once? Is the old one kept?
OURS, NO_ROWS, BARE = ("yes", "yes", "yes"), ("no", "yes", "yes"), ("yes", "no", "no")
TOOLS = {
    "dbmate, then psql": (reset_tools.dbmate, "node/node_modules/.bin/dbmate"),
    "Supabase CLI db reset": (reset_tools.supabase, "node/node_modules/.bin/supabase"),
    "DSLR restore": (reset_tools.dslr, "py/bin/dslr"),
    "Knex": (reset_tools.knex, "node/node_modules/.bin/knex"),
    "Rails": (reset_tools.rails, "/usr/bin/rake"),
    "Django": (reset_tools.django, "py/bin/django-admin"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to get the tables and rows; its preparation is not timed."""

    once: Callable[[], object]
    facts: tuple[str, str, str] = BARE
    prepare: Callable[[], object] = lambda: None


LEAST = "a bare Invoke task"  # what the others are compared with
Ways = dict[str, Way]


def main() -> None:
    """Measure both sizes and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tools", type=Path, default=Path("/nonexistent"), help="the folder of reset_tools.sh")
    parser.add_argument("--students", type=int, nargs="+", default=SIZES)
    parser.add_argument("--without", nargs="*", default=[], help="leave these out, such as Django")
    parser.add_argument("--only", nargs="*", default=[], help="only these and the bare task, such as 'inv reset, warm'")
    options = parser.parse_args()
    compileall.compile_dir(ROOT / "lib", quiet=1)  # as `make` does: Invoke itself does not write .pyc files
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as folder, server(Path(folder)) as url:
        for students in options.students:
            with tempfile.TemporaryDirectory(dir=folder, prefix="size-") as size, list_faces(students) as endpoint:
                places = Places(Path(size), Path(folder), options.tools.resolve(), students)
                live = Database.from_url(url).named("eduguard")
                chosen = ways(places, live, endpoint, set(options.without), set(options.only))
                report(places.rows, options.rounds, live, chosen)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server that also listens on a TCP port of this machine."""
    folder.chmod(0o711)
    url = embedded.ensure_running(folder / "postgres", settings=["listen_addresses=127.0.0.1"])
    try:
        yield url
    finally:
        embedded.stop(folder / "postgres")


@contextmanager
def list_faces(faces: int) -> Iterator[str]:
    """Serve a collection of this many faces."""
    with tempfile.TemporaryDirectory() as pages:
        command = [sys.executable, str(ROOT / "benchmarks" / "list_faces_server.py"), pages, str(faces)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip() if process.stdout else ''}"
        finally:
            process.terminate()
            process.wait()


class Places:
    """One size of the school, on disk in every format, and a folder for the project of each tool."""

    def __init__(self, folder: Path, state: Path, tools: Path, students: int) -> None:
        self._folder, self.state, self.tools = folder, state, tools
        self._tables = make_tables(students)
        self.rows = sum(map(len, self._tables.values()))
        self.fixtures = folder / "seed_data"
        write_fixtures(self._tables, self.fixtures)
        write_sql(self._tables, folder / "rows.sql")
        files = sorted((ROOT / "migrations").glob("*.sql"))
        self._migrations = [path for path in files if ".rollback" not in path.name]
        schema = "BEGIN;\n" + "\n".join(path.read_text() for path in self._migrations) + "\nCOMMIT;\n"
        (folder / "schema.sql").write_text(schema)

    def place(self, name: str) -> Place:
        """Return a new place for one tool."""
        folder = self._folder / name
        folder.mkdir()
        return Place(
            folder=folder,
            tools=self.tools,
            psql=find_binaries(self.state / "postgres", None) / "psql",
            migrations=self._migrations,
            tables=self._tables,
            rows=self._folder / "rows.sql",
            schema=self._folder / "schema.sql",
        )


def ways(places: Places, live: Database, endpoint: str, without: set[str], only: set[str]) -> Ways:
    """Return the ways to measure, by name, after setting up each and running it once."""

    def run(command: str) -> None:
        inv(places, endpoint, command)

    chosen: Ways = {
        "inv reset, warm": Way(once=lambda: run("reset"), facts=NO_ROWS, prepare=lambda: run("reset")),
        "inv full, warm": Way(once=lambda: run("full"), facts=OURS, prepare=lambda: run("full")),
        "inv seed-full": Way(once=lambda: run("seed-full"), facts=OURS, prepare=lambda: run("reset")),
        "inv reset, cold": Way(once=lambda: run("reset"), facts=NO_ROWS, prepare=lambda: outdate_templates(live)),
        "inv full, cold": Way(once=lambda: run("full"), facts=OURS, prepare=lambda: outdate_templates(live)),
        LEAST: Way(
            once=bare_invoke.once(bare := places.place("invoke")),
            facts=NO_ROWS,
            prepare=bare_invoke.prepare(bare),
        ),
        "psql, one file": Way(once=reset_tools.psql(places.place("psql"))),
        "clone, WAL_LOG": Way(once=reset_tools.clone(places.place("wal"), "WAL_LOG")),
        "clone, FILE_COPY": Way(once=reset_tools.clone(places.place("file"), "FILE_COPY")),
    }
    for name, (make, program) in TOOLS.items():
        if name in without or only:
            continue
        if not (places.tools / program).exists():
            print(f"{name}: not installed: sh benchmarks/reset_tools.sh FOLDER, then --tools FOLDER")
            continue
        chosen[name] = Way(once=make(places.place(name.partition(" ")[0].strip(",").lower())))
    if only:
        chosen = {name: way for name, way in chosen.items() if name in {*only, LEAST}}
    for way in chosen.values():
        way.prepare()
        way.once()
    return chosen


def outdate_templates(live: Database) -> None:
    """Rename the templates so that no hash of files matches them, as if a file had changed."""
    with connect(live.maintenance, purpose="bench") as conn:
        for kept in clones.list_aside(conn, live, templates.prefix(live)).kept:
            outdated = live.aside(templates.prefix(live) + secrets.token_hex(12))
            execute_for(conn, "ALTER DATABASE {} RENAME TO {}", kept.database, outdated)


def settle(live: Database) -> float:
    """Write to disk what a way has left in memory, so that it does not slow down the next; return the seconds."""
    began = time.perf_counter()
    with (
        lock.hold_lock(live),
        connect(live.maintenance, purpose="bench") as conn,
    ):  # wait until the databases that a command left are dropped
        conn.execute("CHECKPOINT")
    return time.perf_counter() - began


def inv(places: Places, endpoint: str, command: str) -> None:
    """Run a task on the benchmark's server and fixtures."""
    environment = own_place.environment(
        places.state,
        INVOKE_SEED_FOLDER=str(places.fixtures),
        INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=endpoint,
        AWS_ACCESS_KEY_ID="any",
        AWS_SECRET_ACCESS_KEY="any",  # noqa: S106 -- nobody checks it
    )
    done = subprocess.run([INV, command], cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def report(rows: int, rounds: int, live: Database, chosen: Ways) -> None:
    """Measure the ways in turns and print the table of one size."""
    times: dict[str, list[float]] = {name: [] for name in chosen}
    later: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, way in chosen.items():
            way.prepare()
            settle(live)
            began = time.perf_counter()
            way.once()
            times[name].append(time.perf_counter() - began)
            later[name].append(settle(live))
    print(f"\n{rows:,} rows, {rounds} rounds; whole processes, and what the server goes on doing after them")
    bare = statistics.median(times[LEAST])
    print(f"{'way':<26}{'median':>10}{'least':>10}{'after it':>10}{'x bare':>8}  rows  at once  old one kept")
    for name, taken in times.items():
        has_rows, at_once, kept = chosen[name].facts
        figures = (statistics.median(taken), min(taken), statistics.median(later[name]))
        shown = "".join(f"{1000 * seconds:>7.0f} ms" for seconds in figures)
        shown += f"{figures[0] / bare:>8.2f}"
        print(f"{name:<26}{shown}  {has_rows:<4}  {at_once:<7}  {kept}", flush=True)


if __name__ == "__main__":
    main()
