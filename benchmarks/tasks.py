"""Time whole commands as a user runs them, each beside a bare Invoke, interleaved; print the medians."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INV = Path(sys.executable).parent / "inv"
COMMANDS = (("--list",), ("full",), ("reset",), ("seed",), ("sync-faces",))
_EMPTY = "from invoke import task\n\n\n@task\ndef nothing(c):\n    pass\n"


def main() -> None:
    """Run every command the given number of times and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    subprocess.run([INV, "full"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as empty:
        (Path(empty) / "tasks.py").write_text(_EMPTY)
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            times.setdefault("bare inv --list", []).append(measure(("--list",), Path(empty)))
            for command in COMMANDS:
                times.setdefault(f"inv {' '.join(command)}", []).append(measure(command, ROOT))
                if command == ("reset",):  # what follows works on a full database
                    measure(("seed-full",), ROOT)
    bare = statistics.median(times["bare inv --list"])
    print(f"{'command':<18} {'median':>8} {'least':>8} {'x bare':>7}   ({rounds} rounds, whole process)")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:<18} {1000 * median:>5.0f} ms {1000 * min(taken):>5.0f} ms {median / bare:>7.2f}")


def measure(command: tuple[str, ...], folder: Path) -> float:
    """Return the seconds that one command takes."""
    began = time.perf_counter()
    subprocess.run([INV, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
