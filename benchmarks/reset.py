"""Time a reset, warm and cold, beside psql with one SQL file and beside bare template clones, interleaved; medians.

Run it on a checkout whose `inv up` has been run. Each is a whole process and ends with a database of the same tables.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from eduguard import templates
from eduguard.database import Database, connect
from eduguard.postgres_tools import find_binaries

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
OTHER = "eduguard_bench"


def main() -> None:
    """Run every way the given number of times and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    run(INV, "full")
    status = json.loads(subprocess.run([INV, "status", "--json"], cwd=ROOT, check=True, capture_output=True).stdout)
    live = Database.from_url(status["database"]["url"])
    psql = find_binaries(Path(status["database"]["folder"]), None) / "psql"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "all.sql"
        files = sorted(path for path in (ROOT / "migrations").glob("*.sql") if ".rollback" not in path.name)
        script.write_text("BEGIN;\n" + "\n".join(path.read_text() for path in files) + "\nCOMMIT;\n")
        times = measure(rounds, ways(live, psql, script))
    for name in (OTHER, f"{OTHER}_template"):
        run(psql, "-qX", "-d", live.maintenance.url, "-c", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    for way, taken in times.items():
        print(f"{way:<28} {1000 * statistics.median(taken):>6.0f} ms {1000 * min(taken):>6.0f} ms least")


def ways(live: Database, psql: Path, script: Path) -> dict[str, Callable[[], None]]:
    """Return what is measured by name."""
    bare = (psql, "-qX", "-v", "ON_ERROR_STOP=1", "-d")
    drop = ("-c", f"DROP DATABASE IF EXISTS {OTHER} WITH (FORCE)")

    def forget() -> None:
        with connect(live.maintenance, purpose="bench") as conn:
            templates.collect(conn, live, kept=0)

    def with_psql() -> None:
        run(*bare, live.maintenance.url, *drop, "-c", f"CREATE DATABASE {OTHER} TEMPLATE template0")
        run(*bare, live.aside(OTHER).url, "-f", script)

    def make_template() -> None:
        run(*bare, live.maintenance.url, *drop, "-c", f"DROP DATABASE IF EXISTS {OTHER}_template WITH (FORCE)")
        with_psql()
        run(*bare, live.maintenance.url, "-c", f"ALTER DATABASE {OTHER} RENAME TO {OTHER}_template")

    make_template()

    def clone(strategy: str) -> None:
        create = f"CREATE DATABASE {OTHER} TEMPLATE {OTHER}_template STRATEGY {strategy}"
        run(*bare, live.maintenance.url, *drop, "-c", create)

    def cold(command: str) -> Callable[[], None]:
        return lambda: (forget(), run(INV, command))[1]

    return {
        "inv reset, warm": lambda: run(INV, "reset"),
        "psql, one file": with_psql,
        "clone by psql, WAL_LOG": lambda: clone("WAL_LOG"),
        "clone by psql, FILE_COPY": lambda: clone("FILE_COPY"),
        "inv full, warm": lambda: run(INV, "full"),
        "inv reset, cold": cold("reset"),
        "inv full, cold": cold("full"),
        "inv reset, as warm again": lambda: run(INV, "reset"),
    }


def measure(rounds: int, chosen: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Return the seconds of every round, the ways taking turns."""
    times: dict[str, list[float]] = {way: [] for way in chosen}
    for _ in range(rounds):
        for way, once in chosen.items():
            began = time.perf_counter()
            once()
            times[way].append(time.perf_counter() - began)
    return times


def run(*command: object) -> None:
    """Run a program and expect success."""
    subprocess.run(list(map(str, command)), cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
