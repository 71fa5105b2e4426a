"""What a task prints: one line a step and results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable
from typing import Any

_STEP_WIDTH = 8


def print_step(name: str, text: str) -> None:
    """Print the one line of a step that has succeeded."""
    print(f"{name:<{_STEP_WIDTH}} {text}", flush=True)  # noqa: T201


def print_note(text: str) -> None:
    """Print a note that is no result."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def print_json(value: Any) -> None:
    """Print one JSON object, alone on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))  # noqa: T201


def print_table(rows: Iterable[tuple[str, object]]) -> None:
    """Print names and values in two columns; a value of None is shown as a hyphen."""
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {'-' if value is None else value}")  # noqa: T201


def ask(question: str) -> str | None:
    """Ask on the terminal; None where there is none to ask on."""
    if not sys.stdin.isatty():
        return None
    print(question, end=" ", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip()
