"""List every face of a collection, to the last page, whatever happens to the listing on the way."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from eduguard.ahead import one_ahead
from eduguard.faces import Face
from eduguard.progress import Step
from eduguard.rekognition import Collection
from eduguard.rekognition_types import ListingLostError

Take = Callable[[list[Face]], None]


def read_listing(
    collection: Collection, begin: Callable[[], AbstractContextManager[Take]], *, step: Step | None = None
) -> None:
    """Hand the faces of a collection over page by page; a listing that is lost on the way is started again once.

    The next page is asked for while one is taken, the first while they are begun.

    Args:
        collection: what is listed; read-only.
        begin: what it returns is entered before the first page, gives what takes the pages, and is left after the last;
            where the listing starts again, it is left by the error, so that what was taken is void, and begun anew.
        step: is told how far it is.
    """
    for is_last_try in (False, True):
        try:
            pages = one_ahead(collection.list_faces())
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
