"""What a task prints: one line a step and results on stdout, everything else on stderr."""

import codecs
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from shlex import quote
from typing import Any

_STEP_WIDTH = 8


def prepare_streams() -> None:
    """Make the output one that is no reason to fail: it may have been closed, or lack a character of a name.

    A closed one leads nowhere then; otherwise a connection would get its number, and what is printed. A character that
    the encoding lacks is shown by its escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))
        elif number and isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_step(name: str, text: str) -> None:
    """Print the one line of a step that has succeeded."""
    print(f"{name:<{_STEP_WIDTH}} {text}", flush=True)  # noqa: T201


def print_note(text: str, *, end: str = "\n") -> None:
    """Print a note that is no result."""
    print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201


def print_json(value: Any) -> None:
    """Print one JSON object, alone on stdout."""
    is_unicode = codecs.lookup(sys.stdout.encoding).name == "utf-8"  # JSON writes an escape for what others may lack
    print(json.dumps(value, indent=2, ensure_ascii=not is_unicode, default=str))  # noqa: T201


def print_table(report: Mapping[str, Any]) -> None:
    """Print nested values in two columns, a name being its path; None is shown as a hyphen, a list by its members."""
    lines = dict(_flatten(report))
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")  # noqa: T201


def _flatten(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in report.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value)) or "none"
        else:
            yield prefix + name, "-" if value is None else str(value)


def ask(question: str) -> str | None:
    """Ask on the terminal; None where there is none to ask on."""
    if not sys.stdin.isatty():
        return None
    print(question, end=" ", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip()


def one_at_a_time(ask: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Return what asks the same, but never two questions at once: threads wait for each other's answer."""
    lock = threading.Lock()

    def ask_alone(question: str) -> str | None:
        with lock:
            return ask(question)

    return ask_alone


def print_rows(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table with a line of headers; None is shown as a hyphen."""
    lines = [list(headers), *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201


def print_exports(variables: Mapping[str, str]) -> None:
    """Print commands that set variables in a shell; a session token of the caller's own would be sent along."""
    for name, value in variables.items():
        print(f"export {name}={quote(value)}")  # noqa: T201
    print("unset AWS_SESSION_TOKEN")  # noqa: T201
