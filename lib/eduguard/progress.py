"""The progress of a long step: a bar on a terminal, or a line now and then elsewhere; both on stderr."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from eduguard.colours import has_cursor
from eduguard.plurals import describe_time
from eduguard.terminal import print_note, stop_clock

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bars

_PATIENCE = 1.0  # seconds before anything is shown: most steps are finished by then
_BETWEEN_LINES = 5.0  # seconds
_BETWEEN_FRAMES = 0.1  # seconds
_SLOW = 10  # per second; a lower rate is shown with a decimal


class Step:
    """One step whose progress is counted; any thread may report it."""

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done, self.waiting = 0, ""
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, count: int = 1) -> None:
        """Count more items as done."""
        with self._lock:
            self.done += count

    def wait_for(self, what: str) -> None:
        """Say what is being waited for."""
        self.waiting = what

    def restart(self) -> None:
        """Count from zero again."""
        with self._lock:
            self.done, self._began = 0, time.monotonic()

    @property
    def rate(self) -> float:
        """Return how many items were done per second."""
        return self.done / max(time.monotonic() - self._began, 0.001)

    @property
    def pace(self) -> str:
        """Return the rate, and the time left at this rate."""
        left = max(self.total - self.done, 0) / self.rate if self.done else None
        return f"{_shorten(self.rate)}/s" + ("" if left is None else f", {describe_time(left)} left")

    def __str__(self) -> str:
        waiting = f", waiting for {self.waiting}" if self.waiting else ""
        return f"{self.name}: {self.done:,} of {self.total:,} {self.unit}, {self.pace}{waiting}"


class Progress:
    """The steps under way; used as a context manager."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._over = threading.Event()
        self._terminal = threading.RLock()
        self._bars: Bars | None = None
        self._watch = threading.Thread(target=self._show, daemon=True)

    def begin(self, name: str, total: int, unit: str) -> Step:
        """Add a step.

        Args:
            name: of the step.
            total: the number of items, as far as it is known.
            unit: the name of the items, in the plural.
        """
        step = Step(name, total, unit)
        self._steps.append(step)
        return step

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Show nothing within the block, because a question uses the terminal."""
        with self._terminal:
            bars, self._bars = self._bars, None
            if bars:
                bars.stop()
            yield

    def __enter__(self) -> Self:
        stop_clock()  # the bar or line shown here already says that the step is under way
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._over.set()
        self._watch.join()

    def _show(self) -> None:
        is_terminal, pause = has_cursor(sys.stderr), _PATIENCE
        while not self._over.wait(pause):
            with self._terminal:
                if is_terminal:
                    self._bars = self._bars or _start_bars()
                    self._draw(self._bars)
                else:
                    self._print_lines()
            pause = _BETWEEN_FRAMES if is_terminal else _BETWEEN_LINES
        if self._bars:
            self._bars.stop()

    def _draw(self, bars: "Bars") -> None:
        for number, step in enumerate(self._steps):
            if number == len(bars.tasks):
                bars.add_task(step.name, total=step.total, step=step)
            bars.update(bars.tasks[number].id, completed=step.done)

    def _print_lines(self) -> None:
        for step in self._steps:
            if step.done < step.total:
                print_note(str(step))


def _shorten(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= _SLOW else f"{rate:.1f}"


def _start_bars() -> "Bars":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[step].unit}, {task.fields[step].pace}"),
        TextColumn("{task.fields[step].waiting}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    bars.start()
    return bars
