"""The output of a task: steps and results, or one JSON object, on stdout; everything else on stderr."""

import codecs
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import TextIOWrapper
from shlex import quote
from typing import Any

from eduguard.colours import emphasise, is_coloured, is_live, paint

_STEP_WIDTH = 10  # the length of the longest step name
_PATIENCE = 1.0  # seconds after which a step is announced
_SHORTEST = 0.1  # seconds; a shorter step is printed without its time


class Answer:
    """The one JSON object that a command prints at its end, if JSON was asked for."""

    def __init__(self) -> None:
        self.error: Mapping[str, Any] | None = None
        self._own: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []
        self._current = self._own

    def begin_step(self, name: str | None) -> None:
        """Record values in a step from now on; without a name, in the command itself."""
        self._current = {"step": name} if name else self._own
        self._steps += [self._current] if name else []

    def record(self, values: Mapping[str, Any]) -> None:
        """Add values to the current step, or to the command if there is none."""
        self._current.update(values)

    def whole(self) -> dict[str, Any]:
        """Return the object: the command's values, the steps that recorded values, and the error."""
        parts = {"steps": [step for step in self._steps if len(step) > 1], "error": self.error}
        return self._own | {name: part for name, part in parts.items() if part}


_answers: list[Answer] = []  # one answer while a command with JSON output works; all threads share it


@contextmanager
def answering() -> Iterator[Answer]:
    """Collect what is recorded within the block; lines for people are not printed."""
    answer = Answer()
    _answers.append(answer)
    try:
        yield answer
    finally:
        _answers.clear()


@contextmanager
def printing_for_people() -> Iterator[None]:
    """Let commands within the block print their lines; they go to stderr if stdout must hold only the JSON object."""
    kept = _answers.copy()
    _answers.clear()
    try:
        with redirect_stdout(sys.stderr) if kept else nullcontext():
            yield
    finally:
        _answers.extend(kept)


def is_answering() -> bool:
    """Say whether a JSON object is printed instead of lines for people."""
    return bool(_answers)


def begin_step(name: str | None) -> None:
    """Record values in a step of the command from now on; without a name, in the command itself."""
    for answer in _answers:
        answer.begin_step(name)


def record(values: Mapping[str, Any]) -> None:
    """Add values to the JSON object of the command or its step; do nothing if lines for people are printed."""
    for answer in _answers:
        answer.record(values)


def prepare_streams() -> None:
    """Prevent failures of the output: a stream may be closed, or its encoding may lack a character of a name.

    A closed stream is opened on the null device. Without that, a connection would get its file number, and the printed
    text would go to that connection. A character that the encoding lacks is printed as an escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r"))
        elif number and isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Clock:
    """The time of the last printed line; announces a step that takes long, if a person watches."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._announcement: threading.Timer | None = None

    def start(self, name: str) -> None:
        self.stop()
        self._began = time.monotonic()
        if is_live(sys.stderr):
            line = f"{name} ..."
            text = paint(line, "dim") if is_coloured(sys.stderr) else line
            self._announcement = threading.Timer(_PATIENCE, print_note, [text])
            self._announcement.daemon = True
            self._announcement.start()

    def stop(self) -> float:
        """Stop announcing; return the seconds since the last line."""
        if self._announcement:
            self._announcement.cancel()
        now = time.monotonic()
        passed, self._began = now - self._began, now
        return passed


_clock = _Clock()
start_clock, stop_clock = _clock.start, _clock.stop


def print_step(name: str, text: str) -> None:
    """Print the result of a step: its name in a column, and its time if a person watches."""
    passed = _clock.stop()
    if _answers:
        return
    text = text.replace("\n", f"\n{' ' * (_STEP_WIDTH + 1)}")
    took = f"  {passed:,.1f} s" if passed >= _SHORTEST and is_live(sys.stdout) else ""
    head = f"{name:<{_STEP_WIDTH}}"
    if is_coloured(sys.stdout):
        head, text, took = paint(head, "bold"), emphasise(text), paint(took, "dim") if took else ""
    print(f"{head} {text}{took}", flush=True)  # noqa: T201


def print_note(text: str, *, end: str = "\n") -> None:
    """Print a note, which is not a result, on stderr."""
    print(text, end=end, file=sys.stderr, flush=True)  # noqa: T201


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; if the command answers by JSON anyway, add the values to its answer."""
    if _answers:
        record(value)
        return
    is_unicode = codecs.lookup(sys.stdout.encoding).name == "utf-8"  # other encodings get escapes
    print(json.dumps(value, indent=2, ensure_ascii=not is_unicode, default=str), flush=True)  # noqa: T201


def print_table(report: Mapping[str, Any]) -> None:
    """Print nested values in two columns: path and value; None is shown as a hyphen, a list by its members."""
    if _answers:
        return
    lines = dict(_flatten(report))
    width = max(map(len, lines))
    is_painted = is_coloured(sys.stdout)
    for name, value in lines.items():
        head = f"{name:<{width}}"
        print(f"{paint(head, 'bold')}  {emphasise(value)}" if is_painted else f"{head}  {value}")  # noqa: T201


def _flatten(report: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in report.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value)) or "none"
        else:
            yield prefix + name, "-" if value is None else str(value)


def ask(question: str) -> str | None:
    """Ask a question on the terminal; return None if there is no terminal."""
    _clock.stop()
    if not sys.stdin.isatty():
        return None
    print(question, end=" ", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip()


def one_at_a_time(ask: Callable[[str], str | None]) -> Callable[[str], str | None]:
    """Return a function that asks one question at a time: threads wait for each other's answers."""
    lock = threading.Lock()

    def ask_alone(question: str) -> str | None:
        with lock:
            return ask(question)

    return ask_alone


def print_rows(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table with a header line; None is shown as a hyphen."""
    if _answers:
        return
    lines = [list(headers), *(["-" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        print(paint(text, "bold") if not number and is_coloured(sys.stdout) else text)  # noqa: T201


def print_exports(variables: Mapping[str, str]) -> None:
    """Print shell commands that set variables, and unset the caller's session token, which would be sent as well."""
    if _answers:
        return
    for name, value in variables.items():
        print(f"export {name}={quote(value)}")  # noqa: T201
    print("unset AWS_SESSION_TOKEN")  # noqa: T201
