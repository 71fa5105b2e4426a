"""Rows against the bucket, and a folder against the bucket: what is missing, what differs, and the copying of it."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.aws import JPEG, Bucket
from eduguard.errors import EduguardError
from eduguard.identifiers import KEY_FORM, PHOTOS
from eduguard.jpeg import read_size
from eduguard.students.pictures import SMALLEST_SIDE

if TYPE_CHECKING:
    from psycopg import Connection

_AT_ONCE = 8
_SHOWN = 20  # names in an error
# Letters, digits and the few signs of student ids, in segments that do not begin with a dot: no `..`, no absolute path,
# no backslash, no control character, nothing that two file systems would write differently; file systems take names of
# 255 bytes, and five or six are ours while a photo is written.
_SEGMENT = "[a-zA-Z0-9_:-][a-zA-Z0-9_.:-]{0,239}"
_SAFE_KEY = re.compile(rf"(?=.{{1,1024}}\Z)({_SEGMENT}/)*(?=[^/]{{5,245}}\Z){_SEGMENT}\.jpe?g\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoReport:
    """How rows and bucket agree; every tuple holds sorted keys."""

    photos: int
    missing: tuple[str, ...]
    """Photos of rows that are not in the bucket."""
    extra: tuple[str, ...]
    """Photos of students in the bucket that no row has."""
    wrong_type: tuple[str, ...]
    too_small: tuple[str, ...]

    def summary(self) -> str:
        """Return the counts as one line."""
        return (
            f"{self.photos} photos of rows: {len(self.missing)} missing, {len(self.extra)} extra, "
            f"{len(self.wrong_type)} of the wrong type, {len(self.too_small)} too small"
        )

    def findings(self) -> list[tuple[str, str]]:
        """Return each problem as its kind and its key."""
        kinds = {
            "missing": self.missing,
            "extra": self.extra,
            "wrong type": self.wrong_type,
            "too small": self.too_small,
        }
        return [(kind, key) for kind, keys in kinds.items() for key in keys]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPlan:
    """The keys to copy, sorted, and how many are the same on both sides."""

    keys: tuple[str, ...]
    unchanged: int

    def summary(self, *, done: str) -> str:
        """Return the counts as one line."""
        return f"{len(self.keys)} photos {done}, {self.unchanged} the same on both sides"


def check_photos(conn: "Connection", bucket: Bucket) -> PhotoReport:
    """Compare the rows of student_faces with the students' photos in the bucket; read-only."""
    wanted = {row[0] for row in conn.execute("SELECT photo_url FROM student_faces")}
    stored = bucket.sizes(PHOTOS)

    def judge(key: str) -> str | None:
        if not stored[key]:
            return "too small"
        content_type, head = bucket.read_head(key)
        size = read_size(head)
        if content_type != JPEG or size is None:
            return "wrong type"
        return "too small" if min(size) < SMALLEST_SIDE else None

    present = sorted(wanted & stored.keys())
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        verdicts = dict(zip(present, threads.map(judge, present), strict=True))
    return PhotoReport(
        photos=len(wanted),
        missing=tuple(sorted(wanted - stored.keys())),
        extra=tuple(sorted(stored.keys() - wanted)),
        wrong_type=tuple(key for key in present if verdicts[key] == "wrong type"),
        too_small=tuple(key for key in present if verdicts[key] == "too small"),
    )


def check_keys(keys: Iterable[str]) -> None:
    """Refuse keys that are not safe relative paths of JPEG files, by name."""
    unsafe = sorted(key for key in keys if not _SAFE_KEY.match(key))
    if unsafe:
        raise EduguardError(
            f"{len(unsafe)} keys cannot be files: {', '.join(map(ascii, unsafe[:_SHOWN]))}",
            hint=f"Photos are named {KEY_FORM}, without `..` and without a leading slash.",
        )


def plan_pull(folder: Path, bucket: Bucket) -> CopyPlan:
    """Say which photos of the bucket are missing from the folder or different there; read-only."""
    _check_folder(folder)
    stored = bucket.list_objects()
    check_keys(stored)
    for key in stored:
        _check_inside(folder, folder / key)
    return _plan(
        stored, lambda key: (folder / key).is_file() and bucket.holds(key, stored[key], (folder / key).read_bytes())
    )


def find_files(folder: Path) -> dict[str, Path]:
    """Return the photos of a folder by the key that each has in the bucket; read-only.

    Raises:
        EduguardError: when there is no such folder, or naming each file that is not a JPEG or cannot be a key.
    """
    _check_folder(folder)
    if not folder.is_dir():
        raise EduguardError(f"There is no folder {folder}")
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    check_keys(files)
    wrong = sorted(key for key, path in files.items() if read_size(path.read_bytes()) is None)
    if wrong:
        raise EduguardError(f"No JPEG pictures: {', '.join(wrong[:_SHOWN])}", hint="Export them again as JPEG.")
    return files


def plan_push(files: Mapping[str, Path], bucket: Bucket) -> CopyPlan:
    """Say which files are missing from the bucket or different there; read-only."""
    stored = bucket.list_objects()
    return _plan(files, lambda key: key in stored and bucket.holds(key, stored[key], files[key].read_bytes()))


def pull(plan: CopyPlan, folder: Path, bucket: Bucket, *, advance: Callable[[], None]) -> None:
    """Copy photos into the folder; each appears whole or not at all, so that a run can go on where one ended."""

    def copy(key: str) -> None:
        file = folder / key
        part = file.with_name(f".{file.name}.part")
        content = bucket.download(key)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(content)
            part.replace(file)
        except OSError as error:
            raise EduguardError(f"Cannot write {file}: {error.strerror}") from error
        advance()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(copy, plan.keys))


def push(plan: CopyPlan, files: Mapping[str, Path], bucket: Bucket, *, advance: Callable[[], None]) -> None:
    """Copy photos into the bucket; a run can go on where one ended."""

    def copy(key: str) -> None:
        bucket.upload(key, files[key])
        advance()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(copy, plan.keys))


def _plan(keys: Iterable[str] | Mapping[str, object], is_same: Callable[[str], bool]) -> CopyPlan:
    ordered = sorted(keys)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        same = list(threads.map(is_same, ordered))
    return CopyPlan(keys=tuple(key for key, known in zip(ordered, same, strict=True) if not known), unchanged=sum(same))


def _check_folder(folder: Path) -> None:
    try:
        folder.exists()
    except OSError as error:  # a name that is too long, or a folder that may not be searched
        raise EduguardError(f"Cannot use {folder}: {error.strerror}") from error


def _check_inside(folder: Path, file: Path) -> None:
    # realpath, for resolve fails on links that lead round in circles.
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
        raise EduguardError(f"{file} leads out of {folder}", hint="Remove the symbolic link on the way.")
