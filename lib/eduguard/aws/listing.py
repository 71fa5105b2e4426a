"""List every face of a collection, to the last page, whatever happens to the listing on the way."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from eduguard.aws.ahead import one_ahead
from eduguard.aws.rekognition import Collection
from eduguard.aws.types import Face, ListingLostError
from eduguard.progress import Step

Take = Callable[[list[Face]], None]


def begin_listing(collection: Collection) -> Iterator[list[Face]]:
    """Ask for the first page of faces at once, and for each next one while one is taken; read-only."""
    return one_ahead(collection.list_faces())


def read_listing(
    collection: Collection,
    begin: Callable[[], AbstractContextManager[Take]],
    *,
    pages: Iterator[list[Face]] | None = None,
    step: Step | None = None,
) -> None:
    """Hand the faces of a collection over page by page; a listing that is lost on the way is started again once.

    Args:
        collection: what is listed; read-only.
        begin: what it returns is entered before the first page, gives what takes the pages, and is left after the last;
            where the listing starts again, it is left by the error, so that what was taken is void, and begun anew.
        pages: the listing, where it was begun before.
        step: is told how far it is.
    """
    pages = pages or begin_listing(collection)
    for is_last_try in (False, True):
        try:
            with begin() as take:
                for number, page in enumerate(pages, 2):
                    take(page)
                    if step:
                        step.advance(len(page))
                        step.wait_for(f"page {number}")
        except ListingLostError as error:
            if is_last_try:
                raise
            if step:
                step.restart()
                step.wait_for(f"page 1 again: {error.message}")
            pages = begin_listing(collection)
        else:
            return


def read_faces(collection: Collection) -> list[Face]:
    """Return every face of a collection; read-only."""
    faces: list[Face] = []

    @contextmanager
    def begin() -> Iterator[Take]:
        faces.clear()
        yield faces.extend

    read_listing(collection, begin)
    return faces
