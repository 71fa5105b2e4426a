"""Compare the pytest plugin's work for a test with the bare PostgreSQL statements, in turn; print the medians.

The bare statements copy the same template on the same connection, so that our part is the only difference.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import own_place
from eduguard.aws import local_cloud
from eduguard.postgres import Database, embedded, execute_for
from eduguard.testing.recipes import Recipe
from eduguard.testing.runs import Run, open_run

ROOT = Path(__file__).resolve().parents[1]
_LINE = "{:<52}{:>10} {:>10} {:>8}"


def main() -> None:
    """Run every way in turn, and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as name:
        state = Path(name) / "state"
        Path(name).chmod(0o711)  # if root runs this, the server runs as another user
        environment = own_place.environment(state)
        os.environ.clear()
        os.environ.update(environment)
        try:
            run = open_run(ROOT, "", "bench")
            report(run, Recipe(folder=run.settings.seed_folder), rounds)
            run.close()
        finally:
            embedded.stop(state / "postgres")
            local_cloud.stop(state / "cloud")


def report(run: Run, recipe: Recipe, rounds: int) -> None:
    """Time each way in as many rounds as asked for."""
    taken: dict[str, list[float]] = {}
    template = run.template(recipe).kept.database

    def timed(way: str, work: Callable[..., Any], *arguments: object) -> Any:
        began = time.perf_counter()
        done = work(*arguments)
        taken.setdefault(way, []).append(time.perf_counter() - began)
        return done

    bare = template.aside("bare")
    for _ in range(rounds):
        timed("CREATE DATABASE ... STRATEGY WAL_LOG", create, run, bare, template)
        timed("DROP DATABASE", execute_for, run.conn, "DROP DATABASE {} WITH (FORCE)", bare)
        database = timed("school_db, before the test", run.make_database, recipe)
        timed("school_db, after the test", run.drop, database)
        timed("school_db(transaction=True), before and after", use_transaction, run, recipe)
        collection = timed("school_collection, before the test", run.make_collection, recipe)
        timed("school_collection, after the test", run.delete_collection, collection)
        bucket = timed("school_bucket, before the test", run.make_bucket, recipe)
        timed("school_bucket, after the test", run.delete_bucket, bucket)
    print(_LINE.format(f"{rounds} rounds, the sample school", "median", "least", "x bare"))
    floor = statistics.median(taken["CREATE DATABASE ... STRATEGY WAL_LOG"])
    for way, seconds in taken.items():
        median = statistics.median(seconds)
        print(_LINE.format(way, f"{1000 * median:.1f} ms", f"{1000 * min(seconds):.1f} ms", f"{median / floor:.2f}"))


def create(run: Run, bare: Database, template: Database) -> None:
    """Copy the template with the bare statement."""
    execute_for(run.conn, "CREATE DATABASE {} TEMPLATE {} STRATEGY WAL_LOG", bare, template)


def use_transaction(run: Run, recipe: Recipe) -> None:
    """Begin and end a test in the transaction mode."""
    with run.transaction(recipe):
        pass


if __name__ == "__main__":
    main()
