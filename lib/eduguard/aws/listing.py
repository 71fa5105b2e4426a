"""List every face of a collection, to the last page, even if a listing is lost on the way."""

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
    """Request the first page of faces at once, and the next page while a page is processed; read-only."""
    return one_ahead(collection.list_faces())


def read_listing(
    collection: Collection, take: Callable[[Pages], T], *, pages: Pages | None = None, step: Step | None = None
) -> T:
    """Return the result of a function of a collection's faces; if the listing is lost, begin it again, once.

    Args:
        collection: the collection to list; read-only.
        take: the function; it gets all pages. If the listing is lost, the pages raise an error in it, and it is called
            again.
        pages: the listing, if it was begun before.
        step: counts the progress.

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
    """Begin to fetch the first item at once; yield each item while the next one is fetched."""
    first = _begin(items)

    def follow() -> Iterator[T]:
        coming = first
        while (item := coming.result()) is not None:
            coming = _begin(items)
            yield item

    return follow()


def _begin(items: Iterator[T]) -> Future[T | None]:
    """Begin to fetch the next item in a thread; the result is None after the last item.

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
