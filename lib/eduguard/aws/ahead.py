"""Get what will be needed soon in a thread of its own, while this one does something else."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(get: Callable[[], T]) -> Callable[[], T]:
    """Begin to get a value; return what waits for it and returns it, or raises what getting it has raised.

    Nobody waits for the thread of a value that is no longer wanted: Ctrl-C is not held up by a request's retries.
    """
    coming: Future[T] = Future()

    def run() -> None:
        try:
            coming.set_result(get())
        except BaseException as error:  # noqa: BLE001 -- raised in the thread that waits
            coming.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return coming.result


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Begin to get the first item at once; yield each item while the next one is being got."""
    first = begin(lambda: next(items, None))

    def follow() -> Iterator[T]:
        coming = first
        while (item := coming()) is not None:
            coming = begin(lambda: next(items, None))
            yield item

    return follow()
