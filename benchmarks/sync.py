"""Compare a sync of 1k, 100k and 1M faces with its theoretical minimum and with a sync row by row; print medians.

The minimum has two parts: boto3 reads the same pages and does nothing with them, and psql updates the rows from a
table that is filled already. Both are measured in the same run, in turn with our sync, each on a fresh clone of one
database.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cloud
from eduguard.migrations import runner
from eduguard.postgres import Database, connect, embedded, execute_for
from eduguard.postgres.programs import find_binaries
from list_faces_server import face_id

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).parent
ROUNDS = {1_000: 7, 100_000: 5, 1_000_000: 3}
_SLOWEST_ROW_BY_ROW = 100_000  # faces; a million take minutes
_UPDATE = (
    "UPDATE student_faces f SET face_id = l.face_id FROM {} l"
    " WHERE f.external_image_id = l.external_image_id AND f.face_id IS DISTINCT FROM l.face_id"
)
_SCHOOL = """
INSERT INTO schools VALUES ('school-001', 'School');
INSERT INTO stages VALUES ('s', 's', 1);
INSERT INTO grades VALUES ('g', 's', 'g', 1);
INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('g', '11111111-1', 'a', 'b');
"""
_STUDENTS = """
INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id, school_id)
SELECT 'student-' || lpad(n::text, 7, '0'), (10000000 + n) || '-1', 'a', 'b', '2015-01-01', 'g', 'g', 'school-001'
FROM generate_series(0, %(faces)s - 1) n
"""
_FACES = """
INSERT INTO student_faces (id, student_id, external_image_id, photo_url)
SELECT id || '-1', id, id || '-photo-1', 'key' FROM students ORDER BY id
"""


@dataclass
class Bench:
    """The servers of one run, and the measurements."""

    folder: Path
    server: Database
    psql: Path
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    peaks: dict[str, int] = field(default_factory=dict)

    def run(self, label: str, way: str, database: Database, endpoint: str, collection: str) -> None:
        """Run one way in its own process."""
        command = [sys.executable, HERE / "sync_ways.py", way, database.url, endpoint, collection]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        self.times[label].append(told["seconds"])
        self.peaks[label] = max(self.peaks.get(label, 0), told["peak"])

    def run_psql(self, label: str, database: Database, statement: str) -> None:
        """Run one statement with psql, and record the time that psql reports."""
        command = [self.psql, "-qX", "-v", "ON_ERROR_STOP=1", "-d", database.url, "-c", "\\timing on", "-c", statement]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        self.times[label].append(float(re.findall(r"Time: ([\d.]+) ms", told)[-1]) / 1000)

    @contextmanager
    def clone(self, template: Database) -> Iterator[Database]:
        """Yield a fresh copy of a database that is completely written to disk.

        One session has already connected to it: the first session in a new database reads its whole catalogue, and the
        time that psql reports does not include that.
        """
        copy = self.server.named("bench_copy")
        with connect(self.server.maintenance, purpose="bench") as conn:
            execute_for(conn, "DROP DATABASE IF EXISTS {}", copy)
            execute_for(conn, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", copy, template)
            conn.execute("CHECKPOINT")
        with connect(copy, purpose="bench"):
            pass
        yield copy


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the sizes one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=list(ROUNDS))
    parser.add_argument("--rounds", type=int, help="of each size; default 7, 5 and 3")
    parser.add_argument("--no-cloud", action="store_true", help="leave the local cloud out")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # if root runs this, the server runs as another user
        url = embedded.ensure_running(folder / "postgres", binaries=None)
        try:
            bench = Bench(
                folder, Database.from_url(url).named("bench"), find_binaries(folder / "postgres", None) / "psql"
            )
            for faces in options.faces:
                bench.times.clear()
                bench.peaks.clear()
                measure(bench, faces, options.rounds or ROUNDS.get(faces, 3), with_cloud=not options.no_cloud)
                report(bench, faces)
        finally:
            embedded.stop(folder / "postgres", binaries=None)


def measure(bench: Bench, faces: int, rounds: int, *, with_cloud: bool) -> None:
    """Run every way in turn."""
    template = fill_database(bench, faces)
    with list_faces_server(bench.folder / f"pages-{faces}", faces) as bare:
        endpoints = {"": bare}
        state = bench.folder / "cloud"
        if with_cloud:
            cloud.fill(state, faces)
            endpoints[", local cloud"] = json.loads(cloud.localcloud("start", state))["endpoint"]
            os.environ.update({name.upper(): value for name, value in cloud.read_access(state).items()})
        try:
            for number in range(rounds):
                for server, endpoint in endpoints.items():
                    measure_once(bench, template, server, endpoint, f"faces-{faces}")
                with bench.clone(template) as database:
                    bench.run_psql("psql UPDATE, as listed", database, _UPDATE.format("listed"))
                with bench.clone(template) as database:
                    bench.run_psql("psql UPDATE, in key order", database, _UPDATE.format("listed_by_key"))
                if faces <= _SLOWEST_ROW_BY_ROW and (number == 0 or faces <= min(ROUNDS)):
                    with bench.clone(template) as database:
                        bench.run("row by row", "row_by_row", database, bare, "faces")
        finally:
            cloud.localcloud("stop", state)


def measure_once(bench: Bench, template: Database, server: str, endpoint: str, collection: str) -> None:
    """Run each way that lists faces once."""
    with bench.clone(template) as database:
        bench.run(f"pagination{server}", "paginate", database, endpoint, collection)
        bench.run(f"sync, every row changes{server}", "sync", database, endpoint, collection)
        bench.run(f"sync, nothing to change{server}", "sync", database, endpoint, collection)


def fill_database(bench: Bench, faces: int) -> Database:
    """Make the database that all ways start from: rows with placeholders, and tables of FaceIds for psql."""
    database = bench.server.named(f"bench_{faces}")
    with connect(database.maintenance, purpose="bench") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    runner.apply(database, ROOT / "migrations")
    with connect(database, purpose="bench") as conn:
        conn.execute(_SCHOOL)
        conn.execute(_STUDENTS, {"faces": faces})
        conn.execute(_FACES)
        conn.execute("CREATE TABLE listed (external_image_id text, face_id text)")
        with conn.cursor().copy("COPY listed FROM STDIN") as copy:
            for number in sorted(range(faces), key=face_id):
                copy.write_row((f"student-{number:07}-photo-1", face_id(number)))
        conn.execute("CREATE TABLE listed_by_key AS SELECT * FROM listed ORDER BY external_image_id")
        conn.execute("VACUUM (ANALYZE, FREEZE)")
    return database


@contextmanager
def list_faces_server(folder: Path, faces: int) -> Iterator[str]:
    """Run the bare server."""
    folder.mkdir()
    command = [sys.executable, HERE / "list_faces_server.py", folder, str(faces)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip() if server.stdout else ''}"
        finally:
            server.terminate()


def report(bench: Bench, faces: int) -> None:
    """Print the table of one size."""
    median: Callable[[str], float] = lambda label: statistics.median(bench.times[label])  # noqa: E731
    update = min(median("psql UPDATE, as listed"), median("psql UPDATE, in key order"))
    print(f"\n{faces:,} faces {'':<32} median    least  rounds    peak  beside")
    for label, times in bench.times.items():
        server = ", local cloud" if label.endswith("local cloud") else ""
        beside = {
            f"sync, every row changes{server}": ("pagination + psql UPDATE", median(f"pagination{server}") + update),
            f"sync, nothing to change{server}": ("pagination", median(f"pagination{server}")),
            "row by row": ("sync, every row changes", median("sync, every row changes")),
        }.get(label)
        peak = f"{bench.peaks[label] / 2**20:>4.0f} MiB" if label in bench.peaks else "        "
        ratio = f"{statistics.median(times) / beside[1]:>6.2f} x {beside[0]}" if beside else ""
        print(
            f"{label:<44} {1000 * statistics.median(times):>7.0f} {1000 * min(times):>8.0f} ms"
            f" {len(times):>4} {peak} {ratio}",
            flush=True,
        )


if __name__ == "__main__":
    main()
