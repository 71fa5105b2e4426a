"""Compare `inv export` with `pg_dump -a` of the same rows; print a table with rows a second and memory.

The rows come from `inv generate`: three of ten columns get made-up values. `pg_dump -a` changes nothing and searches
for nothing, so it is close to the minimum time of an export. The processor time is that of the command alone, without
the server. The two halves, masking with writing and the search for leaks, are also measured separately.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import export_bauta
import own_place
from eduguard import portability
from eduguard.portability.exports import writing
from eduguard.portability.exports.manifest import TableFile
from eduguard.postgres import Database, connect, embedded
from eduguard.postgres.programs import find_binaries

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
_LINE = "{:<34}{:>9} {:>9} {:>10} {:>10} {:>9} {:>9}"
_HALVES = ("write", "search")
_WITH_WORKERS = {"bauta"}  # the system no longer counts their workers as its children


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a process took: seconds of wall-clock and of processor time, and its peak memory in MiB."""

    seconds: float
    processor: float
    memory: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Make up schools, export them, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--students", type=int, nargs="+", default=[300, 10_000], help="54 k and 2 M rows")
    parser.add_argument("--tools", type=Path, default=Path("/nonexistent"), help="a venv with bauta[postgresql,files]")
    parser.add_argument("--half", choices=_HALVES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.half:
        run_half(options.half, options.folder, Database.from_url(options.url))
        return
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
        Path(name).chmod(0o755)  # if root runs this, the server runs as another user
        for students in options.students:
            folder = Path(name) / str(students)
            folder.mkdir(mode=0o755)
            with school(folder, students) as (environment, database):
                report(folder, environment, database, options.rounds, options.tools.resolve())


@contextmanager
def school(folder: Path, students: int) -> Iterator[tuple[dict[str, str], Database]]:
    """Yield a database with the rows of a made-up school, on its own server."""
    seeds, state = folder / "seeds", folder / "state"
    environment = own_place.environment(state, INVOKE_SEED_FOLDER=str(seeds), ANONYMISE_KEY="11" * 32)
    run([INV, "generate", str(seeds), "--students", str(students)], environment)
    url = embedded.ensure_running(state / "postgres", binaries=None)
    try:
        run([INV, "migrate", "seed"], environment)
        yield environment, Database.from_url(url).named("eduguard")
    finally:
        embedded.stop(state / "postgres", binaries=None)


def report(folder: Path, environment: dict[str, str], database: Database, rounds: int, tools: Path) -> None:
    """Run each way in turn, and print how long it took and how much memory it used."""
    counted = subprocess.run(
        [INV, "export", "none", "--dry-run", "--json"], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    rows = sum(json.loads(counted.stdout)["rows"].values())
    ways = list_ways(folder, database, tools)
    taken: dict[str, list[Taken]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, command in ways.items():
            taken[way].append(run([part.format(folder / f"out-{number}") for part in command], environment))
            if (folder / f"out-{number}").exists() and not way.startswith("  "):
                shutil.rmtree(folder / f"out-{number}")
    print(f"\n{rows:,} rows, medians of {rounds} rounds; whole processes")
    print(_LINE.format("way", "seconds", "processor", "rows/s", "a core", "memory", "beside"))
    floor = _median(taken["pg_dump -a"], "seconds")
    for way, each in taken.items():
        seconds, processor = _median(each, "seconds"), _median(each, "processor")
        of_processor = (f"{processor:.2f} s", f"{rows / processor:,.0f}") if way not in _WITH_WORKERS else ("-", "-")
        shown = (f"{seconds:.2f} s", of_processor[0], f"{rows / seconds:,.0f}", of_processor[1])
        memory = f"{max(one.memory for one in each):.0f} MiB"
        print(_LINE.format(way, *shown, memory, f"{seconds / floor:.1f} x"), flush=True)


def list_ways(folder: Path, database: Database, tools: Path) -> dict[str, list[str]]:
    """Return the command of each way; {} means a new folder. The half that searches needs the other half's output."""
    dump = find_binaries(folder / "state" / "postgres", None) / "pg_dump"
    half = [sys.executable, str(ROOT / "benchmarks" / "export.py"), "--url", database.url, "--folder", "{}", "--half"]
    ways = {
        "pg_dump -a": [str(dump), "-a", "-f", str(folder / "dump.sql"), database.url],
        "inv export --plain": [str(INV), "export", "{}", "--plain", "--confirm-plain", database.name],
        "inv export": [str(INV), "export", "{}"],
        "  of it: masking and writing": [*half, "write"],
        "  of it: the search for leaks": [*half, "search"],
    }
    if (program := tools / "bin" / "bauta").exists():
        return ways | {"bauta": export_bauta.command(program, folder / "bauta", database)}
    print("bauta: not there: pip install 'bauta[postgresql,files,native]' in a venv, then --tools VENV")
    return ways


def run_half(half: str, folder: Path, database: Database) -> None:
    """Do one half of an export into a folder; each half runs in its own process."""
    with connect(database, purpose="bench") as conn, portability.one_snapshot(conn):
        rules = portability.read_rules(ROOT / "anonymise.yaml")
        coverage = portability.cover(conn, portability.read_schema(conn), rules)
        if half == "search":
            written = json.loads((folder / "tables.json").read_text())
            tables = [TableFile(**(each | {"columns": tuple(each["columns"])})) for each in written]
            writing.search_leaks(conn, coverage, folder, tuple(tables))
            shutil.rmtree(folder)
            return
        folder.mkdir()
        selection, _ = portability.count_rows(conn, coverage, portability.Scope())
        made = writing.mask_rows(conn, coverage, selection, folder, portability.Key(bytes(32)))
        (folder / "tables.json").write_text(json.dumps([asdict(each) for each in made]))


def run(command: Sequence[str | Path], environment: dict[str, str]) -> Taken:
    """Run a command; return its time and memory."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command[0]} failed: {said.read().decode()[-2000:]}")
    return Taken(seconds=seconds, processor=usage.ru_utime + usage.ru_stime, memory=_mebibytes(usage))


def _median(taken: Sequence[Taken], name: str) -> float:
    return statistics.median(getattr(each, name) for each in taken)


def _mebibytes(usage: resource.struct_rusage) -> float:
    # KiB on Linux, bytes on macOS (getrusage(2)).
    return usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    main()
