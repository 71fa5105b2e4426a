"""Interrupt each writing command at every message and request, and check what it leaves.

python tests/faults
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from eduguard.aws import local_cloud
from eduguard.postgres import Database, embedded
from points import LONGEST, Report, choose_points, prepare, try_point
from scenarios import SCENARIOS, Scenario, make_base, make_files, make_older
from school import BASE, OLDER, Place
from wires import MESSAGE, REQUEST, Fault

_LINE = "{:<19}{:>8} {:>8} {:>7} {:>6}  {}"


def main() -> None:
    """Try the points of every command, print a table, and fail if something was lost or left unnamed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="a command, such as enrol; all of them without it")
    parser.add_argument("--points", type=int, default=LONGEST, help="most points of a command")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--state", type=Path, help="the state folder of servers that run already")
    options = parser.parse_args()
    chosen = [each for each in SCENARIOS if not options.only or each.name in options.only]
    began, problems = time.monotonic(), 0
    with _servers(options.state) as state, tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        bench = _Bench(state, Path(scratch), options.jobs)
        print(_LINE.format("command", "messages", "requests", "points", "tried", "outcome"), flush=True)
        for scenario in chosen:
            problems += bench.run(scenario, options.points)
        print(f"{bench.tried} points of {bench.total}, {problems} problems, {time.monotonic() - began:.0f} s")
    sys.exit(1 if problems else 0)


class _Bench:
    """The places on which points are tried in parallel."""

    def __init__(self, state: Path, scratch: Path, jobs: int) -> None:
        self._scratch = scratch
        self.tried = self.total = 0
        server = Database.from_url(embedded.ensure_running(state / "postgres"))
        cloud = local_cloud.ensure_running(state / "cloud")
        make_files(scratch)
        make_base(Place(BASE, state, server, cloud), scratch)
        make_older(Place(OLDER, state, server, cloud))
        self._places = [Place(f"faults-{number}", state, server, cloud) for number in range(jobs)]

    def run(self, scenario: Scenario, limit: int) -> int:
        undisturbed = prepare(self._places, scenario, self._scratch)
        points = choose_points(undisturbed.counts, limit)
        free = SimpleQueue[Place]()
        for place in self._places:
            free.put(place)

        def attempt(fault: Fault) -> Report:
            place = free.get()
            try:
                return try_point(place, scenario, undisturbed, fault, self._scratch)
            except TimeoutError as error:
                return Report(fault=fault, outcome="hangs", problems=(str(error),))
            finally:
                free.put(place)

        with ThreadPoolExecutor(len(self._places)) as threads:
            reports = list(threads.map(attempt, points))
        return self._tell(scenario, undisturbed.counts, reports)

    def _tell(self, scenario: Scenario, counts: dict[str, int], reports: Sequence[Report]) -> int:
        outcomes = Counter(each.outcome for each in reports)
        text = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        if remedies := sum(each.remedies for each in reports):
            text += f", {remedies} remedies run"
        problems = [(each.fault, problem) for each in reports for problem in each.problems]
        total = 4 * sum(counts.values())
        self.tried, self.total = self.tried + len(reports), self.total + total
        print(_LINE.format(scenario.name, counts[MESSAGE], counts[REQUEST], total, len(reports), text), flush=True)
        for fault, problem in problems:
            print(f"  {fault}: {problem}", flush=True)
        return len(problems)


@contextmanager
def _servers(given: Path | None) -> Iterator[Path]:
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="eg-"))
    folder.chmod(0o711)
    try:
        embedded.ensure_running(folder / "postgres", settings=["fsync=off"])
        yield folder
    finally:
        embedded.stop(folder / "postgres")
        local_cloud.stop(folder / "cloud")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
