"""Make one small change in a pure module at a time, and count how often its tests notice it.

python tests/mutants
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from difflib import unified_diff
from pathlib import Path
from queue import SimpleQueue

from mutation import Mutant, find_changes, make_mutants, shuffle
from parts import PARTS, ROOT, Part
from trial import Copy

MOST = 40  # mutants per module
GOAL = 85  # per cent of them that the tests must notice
SEED = 20
_LINE = "{:<22}{:>8} {:>8} {:>7} {:>8}"
_MEMORY = 6 << 30  # bytes of address space: a mutant that never ends must not fill the machine


def main() -> None:
    """Try a sample of each module's mutants, print a table, and fail below the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="a module, such as sync/plan; all of them without it")
    parser.add_argument("--most", type=int, default=MOST, help="most mutants of a module")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    chosen = [each for each in PARTS if not options.only or each.module in options.only]
    os.nice(10)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.RLIM_INFINITY))
    began, missed = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch, ExitStack() as open_copies:
        folders = [Path(scratch, str(number)) for number in range(options.jobs)]
        copies = [open_copies.enter_context(closing(Copy(folder))) for folder in folders]
        print(_LINE.format("module", "mutants", "killed", "%", "seconds"), flush=True)
        for part in chosen:
            missed += _try_part(copies, part, options.most, options.seed) < GOAL
    print(f"seed {options.seed}, {len(chosen)} modules, {missed} below {GOAL} %, {time.monotonic() - began:.0f} s")
    sys.exit(1 if missed else 0)


def _try_part(copies: Sequence[Copy], part: Part, most: int, seed: int) -> float:
    began, source = time.monotonic(), (ROOT / "lib" / part.path).read_text()
    mutants = make_mutants(source, shuffle(find_changes(source, part.functions), f"{seed} {part.module}"), most)
    limit = 10 + 5 * copies[0].measure(part)
    free = SimpleQueue[Copy]()
    for each in copies:
        free.put(each)

    def survives(mutant: Mutant) -> bool:
        copy = free.get()
        try:
            return not copy.kills(part, mutant.source, limit)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as threads:
        survivors = [each for each, alive in zip(mutants, threads.map(survives, mutants), strict=True) if alive]
    copies[0].measure(part)  # if the tests now fail without a mutant, mutants were wrongly counted as killed
    killed = len(mutants) - len(survivors)
    share = 100 * killed / len(mutants)
    print(
        _LINE.format(part.module, len(mutants), killed, f"{share:.0f}", f"{time.monotonic() - began:.0f}"), flush=True
    )
    for each in survivors:
        print("\n".join(_show(part, source, each)), flush=True)
    return share


def _show(part: Part, source: str, mutant: Mutant) -> Iterator[str]:
    """Yield where a mutant differs, and the lines before and after."""
    yield f"  {part.path}:{mutant.line}"
    for line in unified_diff(source.splitlines(), mutant.source.splitlines(), n=0, lineterm=""):
        if line[:1] in "-+" and line[:3] not in {"---", "+++"}:
            yield f"    {line[0]} {line[1:].strip()}"


if __name__ == "__main__":
    main()
