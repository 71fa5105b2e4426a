"""Time `inv export` beside `pg_dump -a` of the same rows; print a table with rows a second and memory.

The rows are those of `inv generate`: three of ten columns get made-up values. `pg_dump -a` changes nothing and looks
for nothing, so it is what an export can hardly be faster than.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import own_place
from eduguard.postgres import Database, embedded
from eduguard.postgres.programs import find_binaries

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
_LINE = "{:<28}{:>9} {:>10} {:>12} {:>9}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make schools up, export them, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--students", type=int, nargs="+", default=[300, 10_000], help="54 k and 2 M rows")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
        Path(name).chmod(0o755)  # root's server runs as another user
        for students in options.students:
            folder = Path(name) / str(students)
            folder.mkdir(mode=0o755)
            with school(folder, students) as (environment, database):
                report(folder, environment, database, options.rounds)


@contextmanager
def school(folder: Path, students: int) -> Iterator[tuple[dict[str, str], Database]]:
    """Lend a database with the rows of a school made up, on a server of its own."""
    seeds, state = folder / "seeds", folder / "state"
    environment = own_place.environment(state, INVOKE_SEED_FOLDER=str(seeds), ANONYMISE_KEY="11" * 32)
    run([INV, "generate", str(seeds), "--students", str(students)], environment)
    url = embedded.ensure_running(state / "postgres", binaries=None)
    try:
        run([INV, "migrate", "seed"], environment)
        yield environment, Database.from_url(url).named("eduguard")
    finally:
        embedded.stop(state / "postgres", binaries=None)


def report(folder: Path, environment: dict[str, str], database: Database, rounds: int) -> None:
    """Run each way in turn, and print how long it took and how much memory it had."""
    counted = subprocess.run(
        [INV, "export", "none", "--dry-run", "--json"], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    rows = sum(json.loads(counted.stdout)["rows"].values())
    dump = find_binaries(folder / "state" / "postgres", None) / "pg_dump"
    ways = {
        "pg_dump -a": [str(dump), "-a", "-f", str(folder / "dump.sql"), database.url],
        "inv export --plain": [str(INV), "export", "{}", "--plain", "--confirm-plain", database.name],
        "inv export": [str(INV), "export", "{}"],
    }
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, command in ways.items():
            out = folder / f"{way.split()[-1].strip('-')}-{number}"
            taken[way].append(run([part.format(out) for part in command], environment))
    print(f"\n{rows:,} rows, medians of {rounds} rounds; whole processes")
    print(_LINE.format("way", "seconds", "rows/s", "memory", "beside"))
    floor = statistics.median(seconds for seconds, _ in taken["pg_dump -a"])
    for way, all_taken in taken.items():
        seconds = statistics.median(each for each, _ in all_taken)
        memory = max(each for _, each in all_taken)
        print(
            _LINE.format(
                way, f"{seconds:.2f}", f"{rows / seconds:,.0f}", f"{memory:.0f} MiB", f"{seconds / floor:.2f} x"
            )
        )


def run(command: Sequence[str | Path], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command; return its seconds and the most memory that it had, in MiB."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command[0]} failed: {said.read().decode()[-2000:]}")
    return seconds, _mebibytes(usage)


def _mebibytes(usage: resource.struct_rusage) -> float:
    # KiB on Linux, bytes on macOS (getrusage(2)).
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
