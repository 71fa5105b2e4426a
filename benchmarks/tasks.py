"""Time whole commands as a user runs them, each in turn with a bare Invoke; print the medians.

It uses its own servers in a temporary folder, never the database and the collection of the settings.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import own_place

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
COMMANDS = (("--list",), ("full",), ("reset",), ("seed",), ("sync-faces",))
_EMPTY = "from invoke import task\n\n\n@task\ndef nothing(c):\n    pass\n"


def main() -> None:
    """Run every command the given number of times and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="*", help="only these commands, such as reset")
    options = parser.parse_args()
    rounds = options.rounds
    chosen = [command for command in COMMANDS if options.only is None or command[0] in options.only]
    with tempfile.TemporaryDirectory() as empty, servers() as own:
        (Path(empty) / "tasks.py").write_text(_EMPTY)
        measure(("full",), ROOT, own)
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            times.setdefault("bare inv --list", []).append(measure(("--list",), Path(empty), own))
            for command in chosen:
                times.setdefault(f"inv {' '.join(command)}", []).append(measure(command, ROOT, own))
                if command == ("reset",):  # the commands after it need a full database
                    measure(("seed-full",), ROOT, own)
    bare = statistics.median(times["bare inv --list"])
    print(f"{'command':<18} {'median':>8} {'least':>8} {'x bare':>7}   ({rounds} rounds, whole process)")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:<18} {1000 * median:>5.0f} ms {1000 * min(taken):>5.0f} ms {median / bare:>7.2f}")


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Yield the environment of tasks with their own servers; stop the servers at the end."""
    with tempfile.TemporaryDirectory(prefix="eduguard-bench-") as folder:
        Path(folder).chmod(0o711)  # if root runs this, the server runs as another user
        own = own_place.environment(Path(folder))
        try:
            yield own
        finally:
            subprocess.run([INV, "down"], cwd=ROOT, env=own, check=True, stdout=subprocess.DEVNULL)


def measure(command: tuple[str, ...], folder: Path, environment: dict[str, str]) -> float:
    """Return the seconds that one command takes.

    Raises:
        RuntimeError: with the output of the command, if it fails.
    """
    began = time.perf_counter()
    done = subprocess.run([INV, *command], cwd=folder, env=environment, check=False, capture_output=True, text=True)
    taken = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return taken


if __name__ == "__main__":
    main()
