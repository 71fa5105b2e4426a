"""`make test` runs each case that the marker of a sampled test names."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def sampled(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each sampled test of a file, and how many cases of it are quick."""
    for node in ast.walk(ast.parse(path.read_text())):
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            call = mark.func if isinstance(mark, ast.Call) else mark
            if isinstance(call, ast.Attribute) and call.attr == "sampled":
                named = len(mark.args) if isinstance(mark, ast.Call) else 1
                yield f"{path.relative_to(ROOT)}::{node.name}", named


def test_each_quick_case_of_a_sampled_test_exists() -> None:
    expected = dict(each for path in ROOT.glob("tests/**/test_*.py") for each in sampled(path))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "sampled and not slow", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = Counter(re.sub(r"\[.*", "", line) for line in done.stdout.splitlines() if line.startswith("tests/"))
    assert dict(found) == expected
