"""List every face of a collection, to the last page, whatever happens to the listing on the way."""

from collections.abc import Callable

from eduguard.faces import Face
from eduguard.progress import Step
from eduguard.rekognition import Collection
from eduguard.rekognition_types import PageExpiredError


def read_listing(
    collection: Collection, *, begin: Callable[[], None], take: Callable[[list[Face]], None], step: Step | None = None
) -> None:
    """Hand the faces of a collection over page by page; a listing whose token expires is started again once.

    Args:
        collection: what is listed; read-only.
        begin: is called before the first page, and again where the listing starts again: what was taken is void.
        take: is given each page.
        step: is told how far it is.
    """
    for is_last_try in (False, True):
        begin()
        try:
            for number, page in enumerate(collection.list_faces(), 2):
                take(page)
                if step:
                    step.advance(len(page))
                    step.wait_for(f"page {number}")
        except PageExpiredError:
            if is_last_try:
                raise
            if step:
                step.restart()
                step.wait_for("page 1 again: the listing expired")
        else:
            return


def read_faces(collection: Collection) -> list[Face]:
    """Return every face of a collection; read-only."""
    faces: list[Face] = []
    read_listing(collection, begin=faces.clear, take=faces.extend)
    return faces
