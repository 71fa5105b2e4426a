"""Where photos and faces are kept: a bucket and a collection, and what must hold before anything goes there."""

from collections.abc import Callable
from dataclasses import dataclass

from eduguard.aws import Bucket, Collection

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where photos and faces go; by_reference lets Rekognition read the bucket itself.

    by_reference needs a bucket of AWS in the collection's region; else the picture itself is sent.
    """

    collection: Collection
    bucket: Bucket
    by_reference: bool


def prepare_storage(storage: Storage, note: Note) -> None:
    """Create collection and bucket where they do not exist, and refuse a bucket that is not private.

    Args:
        storage: where photos and faces go.
        note: prints that the bucket's endpoint cannot say whether the bucket is public.

    Raises:
        EduguardError: when the public can read the bucket, or when it may not be asked.
    """
    if storage.collection.describe() is None:
        storage.collection.create()
    prepare_bucket(storage.bucket, note)


def prepare_bucket(bucket: Bucket, note: Note) -> None:
    """Create the bucket where it does not exist, and refuse one that is not private; note and errors as above."""
    bucket.ensure_exists()
    check_private(bucket, note)


def check_private(bucket: Bucket, note: Note) -> None:
    """Refuse a bucket that is not private; read-only, note and errors as above."""
    if text := bucket.check_private():
        note(text)
