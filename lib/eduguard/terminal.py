"""What a task prints: a line a step and results on stdout, or one JSON object there; everything else on stderr."""

import codecs
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from shlex import quote
from typing import Any

_STEP_WIDTH = 8


class Answer:
    """The one JSON object that a command prints in the end, where it was asked for."""

    def __init__(self) -> None:
        self.error: Mapping[str, Any] | None = None
        self._own: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []
        self._current = self._own

    def begin_step(self, name: str | None) -> None:
        """Have what is recorded from now on belong to a step; without a name, to the command itself."""
        self._current = {"step": name} if name else self._own
        self._steps += [self._current] if name else []

    def record(self, values: Mapping[str, Any]) -> None:
        """Add to the command, or to the step that is under way."""
        self._current.update(values)

    def whole(self) -> dict[str, Any]:
        """Return the object: what the command recorded, the steps that recorded something, and the error."""
        parts = {"steps": [step for step in self._steps if len(step) > 1], "error": self.error}
        return self._own | {name: part for name, part in parts.items() if part}


_answers: list[Answer] = []  # one while a command works that answers by JSON; all threads share it


@contextmanager
def answering() -> Iterator[Answer]:
    """Collect what is recorded meanwhile; people's lines are left out."""
    answer = Answer()
    _answers.append(answer)
    try:
        yield answer
    finally:
        _answers.clear()


def is_answering() -> bool:
    """Say whether a JSON object is printed in place of lines for people."""
    return bool(_answers)


def begin_step(name: str | None) -> None:
    """Have what is recorded from now on belong to a step of the command; without a name, to the command itself."""
    for answer in _answers:
        answer.begin_step(name)


def record(values: Mapping[str, Any]) -> None:
    """Add to the JSON object of the command or of its step; nothing where lines for people are printed."""
    for answer in _answers:
        answer.record(values)


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
    if not _answers:
        print(f"{name:<{_STEP_WIDTH}} {text}", flush=True)  # noqa: T201


def print_note(text: str, *, end: str = "\n") -> None:
    """Print a note that is no result."""
    print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object, alone on stdout; where the command answers by JSON anyway, add to its answer."""
    if _answers:
        record(value)
        return
    is_unicode = codecs.lookup(sys.stdout.encoding).name == "utf-8"  # JSON writes an escape for what others may lack
    print(json.dumps(value, indent=2, ensure_ascii=not is_unicode, default=str), flush=True)  # noqa: T201


def print_table(report: Mapping[str, Any]) -> None:
    """Print nested values in two columns, a name being its path; None is shown as a hyphen, a list by its members."""
    if _answers:
        return
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
    if _answers:
        return
    lines = [list(headers), *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201


def print_exports(variables: Mapping[str, str]) -> None:
    """Print commands that set variables in a shell; a session token of the caller's own would be sent along."""
    if _answers:
        return
    for name, value in variables.items():
        print(f"export {name}={quote(value)}")  # noqa: T201
    print("unset AWS_SESSION_TOKEN")  # noqa: T201
