"""Write pictures of children into files that only their owner can read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eduguard.errors import EduguardError

_MODE = 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


def write_private(file: Path, content: bytes) -> None:
    """Write a file of mode 0600, whole or not at all.

    Raises:
        EduguardError: when it cannot be written.
    """
    write_inside(file.parent, file.name, content)


def write_inside(folder: Path, key: str, content: bytes) -> None:
    """Write a file of mode 0600 below a folder, whole or not at all; links on the path are not followed.

    Args:
        folder: where the key begins; created if it does not exist, and may be a link itself.
        key: names of folders and of the file, separated by slashes.
        content: of the file.

    Raises:
        EduguardError: when the file cannot be written, or a folder on the path is a link.
    """
    *parents, name = key.split("/")
    part = f".{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _entered(folder, parents) as place:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=place)  # left by a killed run, or planted: a link is removed, not followed
            with os.fdopen(os.open(part, _NEW, _MODE, dir_fd=place), "wb") as file:
                os.fchmod(file.fileno(), _MODE)
                file.write(content)
            os.replace(part, name, src_dir_fd=place, dst_dir_fd=place)
    except OSError as error:
        raise EduguardError(
            f"Cannot write {folder / key}: {error.strerror}",
            hint="No symbolic link below the folder is followed." if parents else None,
        ) from error


@contextmanager
def _entered(folder: Path, parents: list[str]) -> Iterator[int]:
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in parents:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=place)
            outer, place = place, os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(outer)
        yield place
    finally:
        os.close(place)
