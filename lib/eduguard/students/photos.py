"""Compare rows or a folder with the bucket: what is missing, what differs; and copy photos."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.aws import JPEG, Bucket, Content
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM, PHOTOS, split_photo_key
from eduguard.jpeg import read_size
from eduguard.plurals import amount
from eduguard.students.pictures import SMALLEST_SIDE, marks_of
from eduguard.students.private_files import write_inside

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 8
_SHOWN = 20  # names in an error
# Letters, digits and the few signs of student ids, in segments that do not begin with a dot: no `..`, no absolute path,
# no backslash, no control character, nothing that two file systems would store differently. File systems allow names
# of 255 bytes; we add five or six bytes while a photo is written.
_SEGMENT = "[a-zA-Z0-9_:-][a-zA-Z0-9_.:-]{0,239}"
_SAFE_KEY = re.compile(rf"(?=.{{1,1024}}\Z)({_SEGMENT}/)*(?=[^/]{{5,245}}\Z){_SEGMENT}\.jpe?g\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoReport:
    """How rows and bucket differ; every tuple holds sorted keys."""

    photos: int
    missing: tuple[str, ...]
    """Photos that rows name but the bucket does not have."""
    extra: tuple[str, ...]
    """Photos of students in the bucket that no row names."""
    wrong_type: tuple[str, ...]
    too_small: tuple[str, ...]
    damaged: tuple[str, ...]
    """Photos whose bytes do not have the SHA-256 that was recorded when they were put."""

    def summary(self) -> str:
        """Return the counts as one line."""
        return (
            f"{amount(self.photos, 'photo')} of rows: {len(self.missing)} missing, {len(self.extra)} extra, "
            f"{len(self.wrong_type)} of the wrong type, {len(self.too_small)} too small, {len(self.damaged)} damaged"
        )

    def findings(self) -> list[tuple[str, str]]:
        """Return each problem as its kind and its key."""
        kinds = {
            "missing": self.missing,
            "extra": self.extra,
            "wrong type": self.wrong_type,
            "too small": self.too_small,
            "damaged": self.damaged,
        }
        return [(kind, key) for kind, keys in kinds.items() for key in keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """The sorted keys to copy, the keys that replace another photo, and how many are the same on both sides."""

    keys: tuple[str, ...]
    replaced: tuple[str, ...]
    unchanged: int
    passed_over: tuple[str, ...] = ()
    """objects or files that are not a student's photo; they are not copied"""

    def summary(self, *, done: str) -> str:
        """Return the counts as one line."""
        replacing = f", {len(self.replaced)} in place of another" if self.replaced else ""
        strange = f", {len(self.passed_over)} that are not students' photos passed over" if self.passed_over else ""
        return f"{amount(len(self.keys), 'photo')} {done}, {self.unchanged} the same on both sides{replacing}{strange}"


def check_photos(conn: "Connection", bucket: Bucket) -> PhotoReport:
    """Compare the rows of student_faces with the students' photos in the bucket, byte for byte; read-only."""
    wanted = {row[0] for row in conn.execute("SELECT photo_url FROM student_faces")}
    stored = bucket.sizes(PHOTOS)
    present = sorted(wanted & stored.keys())
    verdicts = judge_photos(bucket, present)

    def judged(verdict: str) -> tuple[str, ...]:
        return tuple(key for key in present if verdicts[key] == verdict)

    return PhotoReport(
        photos=len(wanted),
        missing=tuple(sorted(wanted - stored.keys())),
        extra=tuple(sorted(key for key in stored.keys() - wanted if split_photo_key(key))),
        wrong_type=judged("wrong type"),
        too_small=judged("too small"),
        damaged=judged("damaged"),
    )


def judge_photos(bucket: Bucket, keys: Sequence[str]) -> dict[str, str | None]:
    """Return what is wrong with each of these objects, or None; read-only."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return dict(zip(keys, threads.map(lambda key: judge_photo(bucket.read(key)), keys), strict=True))


def judge_photo(found: Content) -> str | None:
    """Return what is wrong with an object, or None; a pure function."""
    if found.is_damaged:
        return "damaged"
    if not found.content:
        return "too small"
    size = read_size(found.content)
    if found.content_type != JPEG or size is None:
        return "wrong type"
    return "too small" if min(size) < SMALLEST_SIDE else None


def is_photo_key(key: str) -> bool:
    """Say whether a key is that of a student's photo and is a safe file path."""
    return split_photo_key(key) is not None and is_safe_key(key)


def is_safe_key(key: str) -> bool:
    """Say whether a key is a safe path of a JPEG file."""
    return _SAFE_KEY.match(key) is not None


def check_keys(keys: Iterable[str]) -> None:
    """Refuse keys that are not safe relative paths of JPEG files, by name."""
    unsafe = sorted({key for key in keys if not is_safe_key(key)})
    if unsafe:
        problem = amount(len(unsafe), "key cannot be a file", "keys cannot be files")
        raise EduguardError(
            f"{problem}: {', '.join(map(ascii, unsafe[:_SHOWN]))}",
            hint=f"Photos are named {KEY_FORM}, without `..` and without a leading slash.",
        )


def plan_pull(folder: Path, bucket: Bucket) -> CopyPlan:
    """Say which students' photos in the bucket are missing or different in the folder; read-only."""
    _check_folder(folder)
    stored = bucket.list_objects()
    keys = list(filter(is_photo_key, stored))
    for key in keys:
        _check_inside(folder, folder / key)

    def compare(key: str) -> bool | None:
        file = folder / key
        return bucket.holds(key, stored[key], file.read_bytes()) if file.is_file() else None

    strange = (key for key in stored if not is_photo_key(key) and not key.endswith("/"))
    return _plan(keys, compare, passed_over=strange)


def find_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder, except hidden ones, by the key that each would have in the bucket; read-only.

    Raises:
        EduguardError: when the folder does not exist or has no student's photo, or naming each file that is not a JPEG.
    """
    _check_folder(folder)
    if not folder.is_dir():
        raise EduguardError(f"There is no folder {folder}")
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    photos = list(filter(is_photo_key, files))
    if not photos:
        raise EduguardError(f"No student's photo in {folder}", hint=f"Photos are named {KEY_FORM} below the folder.")
    wrong = sorted(key for key in photos if read_size(files[key].read_bytes()) is None)
    if wrong:
        raise EduguardError(f"No JPEG pictures: {', '.join(wrong[:_SHOWN])}", hint="Export them again as JPEG.")
    return files


def plan_push(files: Mapping[str, Path], bucket: Bucket) -> CopyPlan:
    """Say which students' photos are missing or different in the bucket; read-only."""
    stored = bucket.list_objects(PHOTOS)

    def compare(key: str) -> bool | None:
        return bucket.holds(key, stored[key], files[key].read_bytes()) if key in stored else None

    return _plan(filter(is_photo_key, files), compare, passed_over=(key for key in files if not is_photo_key(key)))


def pull(plan: CopyPlan, folder: Path, bucket: Bucket, *, advance: Callable[[], None]) -> None:
    """Copy photos into the folder; each file is written whole or not at all, so a new run can continue after a crash.

    Raises:
        EduguardError: when a file cannot be written; and, after the other photos are copied, naming each photo that is
            damaged in the bucket.
    """

    def copy(key: str) -> bool:
        found = bucket.read(key)
        if not found.is_damaged:
            write_inside(folder, key, found.content)
        advance()
        return found.is_damaged

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        damaged = [key for key, is_damaged in zip(plan.keys, threads.map(copy, plan.keys), strict=True) if is_damaged]
    if damaged:
        raise EduguardError(
            f"{amount(len(damaged), 'damaged photo')} in bucket {bucket.name} not pulled: {', '.join(damaged)}",
            hint="`inv photos push FOLDER` puts the photos of a folder in their place.",
        )


def push(plan: CopyPlan, files: Mapping[str, Path], bucket: Bucket, *, advance: Callable[[], None]) -> None:
    """Copy photos into the bucket; a new run can continue where one stopped."""

    def copy(key: str) -> None:
        content = files[key].read_bytes()
        bucket.put(key, content, marks_of(content))
        advance()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(copy, plan.keys))


def _plan(keys: Iterable[str], compare: Callable[[str], bool | None], *, passed_over: Iterable[str]) -> CopyPlan:
    """Make a plan; compare says whether the other side has the same photo, or returns None if it has none."""
    ordered = sorted(keys)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        same = dict(zip(ordered, threads.map(compare, ordered), strict=True))
    return CopyPlan(
        keys=tuple(key for key in ordered if not same[key]),
        replaced=tuple(key for key in ordered if same[key] is False),
        unchanged=sum(same[key] is True for key in ordered),
        passed_over=tuple(sorted(passed_over)),
    )


def _check_folder(folder: Path) -> None:
    try:
        folder.exists()
    except OSError as error:  # the name is too long, or the folder may not be searched
        raise EduguardError(f"Cannot use {folder}: {error.strerror}") from error


def _check_inside(folder: Path, file: Path) -> None:
    # realpath, because resolve fails on links that form a loop.
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
        raise EduguardError(f"{file} leads out of {folder}", hint="Remove the symbolic link on the way.")
