"""List every face of a collection, to the last page, whatever happens to the listing on the way."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from eduguard.aws.rekognition import Collection
from eduguard.aws.types import Face, ListingLostError
from eduguard.progress import Step

T = TypeVar("T")
Pages = Iterable[list[Face]]


def begin_listing(collection: Collection) -> Iterator[list[Face]]:
    """Ask for the first page of faces at once, and for the next one while a page is taken; read-only."""
    return one_ahead(collection.list_faces())


def read_listing(
    collection: Collection, take: Callable[[Pages], T], *, pages: Pages | None = None, step: Step | None = None
) -> T:
    """Return what is made of the faces of a collection; a listing that is lost on the way is begun again, once.

    Args:
        collection: what is listed; read-only.
        take: is given all pages. If the listing is lost, the pages raise the error through it, and it is called again.
        pages: the listing, where it was begun before.
        step: is told how far it is.

    Raises:
        ListingLostError: when the listing is lost twice.
    """
    try:
        return take(_counted(pages or begin_listing(collection), step))
    except ListingLostError as error:
        if step:
            step.restart()
            step.wait_for(f"page 1 again: {error.message}")
    return take(_counted(begin_listing(collection), step))


def read_faces(collection: Collection) -> list[Face]:
    """Return every face of a collection; read-only."""
    return read_listing(collection, lambda pages: [face for page in pages for face in page])


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Begin to get the first item at once; yield each item while the next one is being got."""
    first = _begin(items)

    def follow() -> Iterator[T]:
        coming = first
        while (item := coming.result()) is not None:
            coming = _begin(items)
            yield item

    return follow()


def _begin(items: Iterator[T]) -> Future[T | None]:
    """Begin to get the next item in a thread; its result is None after the last one.

    The thread ends with the process: Ctrl-C does not wait for the retries of a request.
    """
    coming: Future[T | None] = Future()

    def get() -> None:
        try:
            coming.set_result(next(items, None))
        except BaseException as error:  # noqa: BLE001 -- raised where the result is read
            coming.set_exception(error)

    threading.Thread(target=get, daemon=True).start()
    return coming


def _counted(pages: Pages, step: Step | None) -> Iterator[list[Face]]:
    for number, page in enumerate(pages, 2):
        yield page
        if step:
            step.advance(len(page))
            step.wait_for(f"page {number}")
