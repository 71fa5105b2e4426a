"""Copy the photos that rows name from another target's bucket; that bucket is only listed and read."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import Bucket, StoredObject
from eduguard.errors import EduguardError
from eduguard.identifiers import PHOTOS
from eduguard.plurals import amount
from eduguard.portability.reindexing import read_keys
from eduguard.schools import Place, Scope
from eduguard.settings import Target
from eduguard.students import marks_of

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 8
_SHOWN = 10  # keys in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """Which photos to copy, which the source lacks, and how many are the same in both buckets."""

    keys: tuple[str, ...]
    replaced: tuple[str, ...]
    """those of the keys under which the target's bucket has a different photo"""
    missing: tuple[str, ...]
    unchanged: int
    size: int
    """bytes to copy"""

    def summary(self, *, done: str) -> str:
        """Return the counts as one line."""
        replacing = f", {len(self.replaced):,} in place of another" if self.replaced else ""
        missing = f", {len(self.missing):,} that the source lacks" if self.missing else ""
        same = f"{self.unchanged:,} the same on both sides"
        return f"{amount(len(self.keys), 'photo')} ({self.size / 1e6:,.1f} MB) {done}, {same}{replacing}{missing}"


def check_other_bucket(source: Target, target: Target) -> None:
    """Refuse to copy a bucket into itself, because two targets may name the same bucket; a pure function."""
    if (source.s3_endpoint, source.bucket) == (target.s3_endpoint, target.bucket):
        raise EduguardError(
            f"Targets {source.name} and {target.name} have one bucket, {target.bucket}: there is nothing to copy",
            hint="`bucket` of a target in invoke.yaml says which one it is; each target should have its own.",
        )


def can_copy_inside(source: Target, target: Target) -> bool:
    """Say whether the service itself can copy, because both buckets have the same endpoint and key; pure."""
    return (source.s3_endpoint, source.bucket_profile) == (target.s3_endpoint, target.bucket_profile)


def read_photo_keys(conn: "Connection", places: Iterable[Place]) -> list[str]:
    """Return the photo keys in the rows of some collections; read-only."""
    return sorted({key for place in places for key in read_keys(conn, Scope(place=place)).values()})


def plan_copy(keys: Iterable[str], source: Bucket, target: Bucket) -> CopyPlan:
    """Compare both buckets by ETag and size, and by SHA-256 if only the ETags differ; read-only."""
    wanted, there = list(keys), source.list_objects(PHOTOS)
    here = target.list_objects(PHOTOS) if target.exists() else {}
    same = set(find_same([key for key in wanted if key in there and key in here], source, target, there, here))
    copied = [key for key in wanted if key in there and key not in same]
    return CopyPlan(
        keys=tuple(copied),
        replaced=tuple(key for key in copied if key in here),
        missing=tuple(key for key in wanted if key not in there),
        unchanged=len(same),
        size=sum(there[key].size for key in copied),
    )


def find_same(
    keys: Iterable[str],
    source: Bucket,
    target: Bucket,
    there: Mapping[str, StoredObject],
    here: Mapping[str, StoredObject],
) -> list[str]:
    """Return the keys under which both buckets have the same photo; read-only.

    If the service has encrypted an object or received it in parts, its ETag is not its MD5; then the SHA-256 decides.
    """

    def is_same(key: str) -> bool:
        if there[key].size != here[key].size:
            return False
        return there[key].etag == here[key].etag or source.read_sha256(key) == target.read_sha256(key)

    ordered = list(keys)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return [key for key, same in zip(ordered, threads.map(is_same, ordered), strict=True) if same]


def copy_photos(
    plan: CopyPlan, source: Bucket, target: Bucket, *, is_inside: bool, advance: Callable[[], None] = lambda: None
) -> None:
    """Copy the photos of a plan and compare both buckets again; an interrupted copy can be continued.

    Args:
        plan: what to copy.
        source: the bucket to copy from; it is only listed and read.
        target: the bucket to copy to.
        is_inside: whether the service itself copies; if not, this machine reads and uploads every photo.
        advance: called after each photo.

    Raises:
        EduguardError: if a photo of the source is damaged, or photos differ afterwards; names them.
    """

    def copy(key: str) -> None:
        if is_inside:
            target.copy(key, source.name)
        else:
            _carry(key, source, target)
        advance()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(copy, plan.keys))
    again = plan_copy(plan.keys, source, target)
    if again.keys or again.missing:
        differ = [*again.keys, *again.missing]
        raise EduguardError(
            f"{len(differ)} of {amount(len(plan.keys), 'photo')} not as in the source: {', '.join(differ[:_SHOWN])}",
            hint="Somebody changes them meanwhile: run the same command again.",
        )


def _carry(key: str, source: Bucket, target: Bucket) -> None:
    found = source.read(key)
    if found.is_damaged:
        raise EduguardError(
            f"{key} of bucket {source.name} is damaged: its bytes are not those that were put",
            hint="`inv photos check` of its target names such photos; all copied before it stay.",
        )
    target.put(key, found.content, {**marks_of(found.content), **source.read_metadata(key)})
