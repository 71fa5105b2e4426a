"""The storage of photos and faces: a bucket and a collection, and the checks before anything is stored there."""

from collections.abc import Callable
from dataclasses import dataclass

from eduguard.aws import Bucket, Collection
from eduguard.errors import EduguardError
from eduguard.identifiers import SCHOOL_TAG

Note = Callable[[str], None]
UNTAGGED = (
    "the collection has no tag that names its school: this role may not call ListTagsForResource or TagResource "
    "(`inv doctor --iam`)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where photos and faces are stored; by_reference lets Rekognition read the bucket itself.

    by_reference needs a bucket of AWS in the collection's region; otherwise the picture itself is sent.
    """

    collection: Collection
    bucket: Bucket
    by_reference: bool
    school: str | None = None
    """the school that owns the collection; None: the collection serves single students only"""


def prepare_storage(storage: Storage, note: Note) -> None:
    """Create collection and bucket if they do not exist, tag the collection, refuse a bucket that is not private.

    Args:
        storage: where photos and faces are stored.
        note: prints that the role may not tag, or that the bucket's endpoint cannot tell whether the bucket is public.

    Raises:
        EduguardError: when the collection's tag names another school, when the public can read the bucket, or when the
            role may not check that.
    """
    prepare_collection(storage, note)
    prepare_bucket(storage.bucket, note)


def prepare_collection(storage: Storage, note: Note) -> None:
    """Create the collection if it does not exist, and tag it; note and errors as in `prepare_storage`."""
    if not _prepare_collection(storage.collection, storage.school):
        note(UNTAGGED)


def _prepare_collection(collection: Collection, school: str | None) -> bool:
    """Create or tag a collection; return False if the role may not tag it."""
    state = collection.describe()
    if state is None:
        return collection.create(school)
    if not school or (tag := collection.read_school(state.arn)) == school:
        return True
    if not tag:
        return tag is not None and collection.tag_school(state.arn, school)
    raise EduguardError(
        f"Collection {collection.name} is tagged as the one of {tag}, not of {school}: nothing was indexed",
        hint=f"If it is the right one, change its tag: aws rekognition tag-resource --resource-arn {state.arn} "
        f"--tags {SCHOOL_TAG}={school}",
    )


def prepare_bucket(bucket: Bucket, note: Note) -> None:
    """Create the bucket if needed, refuse one that is not private; note and errors as in `prepare_storage`."""
    bucket.ensure_exists()
    check_private(bucket, note)


def check_private(bucket: Bucket, note: Note) -> None:
    """Refuse a bucket that is not private; note and errors as in `prepare_storage`; read-only."""
    if text := bucket.check_private():
        note(text)
