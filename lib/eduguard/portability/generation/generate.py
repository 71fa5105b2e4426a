"""Write a made-up school into a folder of fixtures; the folder appears complete or not at all."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.portability.generation.people import MOST_SCHOOLS, MOST_STUDENTS
from eduguard.portability.generation.portraits import draw_portraits
from eduguard.portability.generation.school import School, make_school
from eduguard.portability.generation.school_year import school_days
from eduguard.portability.generation.tables import TABLES, write_tables

Begin = Callable[[str, int], Callable[[], None]]

RECORD = "generated.json"
"""the file that marks a folder as made by `inv generate`; it has the arguments and the SHA-256 of each file"""
_SHOWN = 5  # names in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What to make up; the result depends only on these values."""

    seed: str
    students: int
    schools: int
    photos: bool = False

    def check(self) -> None:
        """Refuse counts that are too small or too large.

        Raises:
            EduguardError: with the counts that are possible.
        """
        if not 1 <= self.schools <= MOST_SCHOOLS:
            raise EduguardError(f"--schools {self.schools}: it is from 1 to {MOST_SCHOOLS}")
        if not self.schools <= self.students <= self.schools * MOST_STUDENTS:
            raise EduguardError(
                f"--students {self.students} in {amount(self.schools, 'school')}: it is from "
                f"{self.schools} to {self.schools * MOST_STUDENTS:,}",
                hint=f"Each school has from 1 to {MOST_STUDENTS:,} students, so that everybody has a RUT of their own.",
            )

    def make(self) -> list[School]:
        """Return the schools; the students are distributed to them in turn."""
        days = school_days()
        counts = [len(range(number, self.students, self.schools)) for number in range(self.schools)]
        return [make_school(self.seed, number, count, days) for number, count in enumerate(counts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What is in the folder: rows, files with their bytes, and whether it had the same content before."""

    rows: int
    files: int
    bytes: int
    is_new: bool


def check_folder(folder: Path) -> None:
    """Refuse a folder that contains anything except what `inv generate` has written; read-only.

    Raises:
        EduguardError: naming what it contains.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise EduguardError(f"{folder} is not a folder", hint="Name a new one.")
    if not folder.exists():
        return
    made = _read_record(folder)
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    strange = sorted(name for name in there if name != RECORD and name not in made)
    changed = sorted(name for name in there if name in made and _hash(there[name]) != made[name])
    for names, what in ((strange, "holds"), (changed, "was generated, but since then somebody has changed")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            named = ", ".join(names[:_SHOWN]) + more
            raise EduguardError(f"{folder} {what} {named}", hint="Name a new folder; nothing was written.")


def generate(folder: Path, world: World, *, begin: Begin, note: Callable[[str], None]) -> Written:
    """Write the fixtures of a world into a folder; the same world gives the same bytes on every machine.

    Args:
        folder: a folder that does not exist or that `check_folder` accepts; its content is replaced.
        world: what to make up.
        begin: a function that takes what is counted and the total, and returns the function to call after each one.
        note: prints how long the photos will take.

    Raises:
        EduguardError: from `check_folder` and `World.check`, or if a file cannot be written.
    """
    world.check()
    check_folder(folder)
    schools = world.make()
    try:
        with _beside(folder) as new:
            advance = begin("sections", sum(len(school.sections) for school in schools))
            rows, hashes = _write(new, world, schools, advance)
            if world.photos:
                drawn = draw_portraits(new / "photos", schools, begin=partial(begin, "faces"), note=note)
                hashes |= {f"photos/{name}": digest for name, digest in sorted(drawn)}
            record = {"by": "inv generate", **asdict(world), "files": hashes}
            (new / RECORD).write_text(json.dumps(record, indent=1) + "\n")
            size = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
            is_new = not (folder / RECORD).exists() or (folder / RECORD).read_bytes() != (new / RECORD).read_bytes()
            if is_new:
                _put_in_place(new, folder)
    except OSError as error:
        raise EduguardError(f"{error.filename or folder}: {error.strerror}") from error
    return Written(rows=rows, files=len(hashes), bytes=size, is_new=is_new)


def _write(
    folder: Path, world: World, schools: Sequence[School], advance: Callable[[], None]
) -> tuple[int, dict[str, str]]:
    rows, hashes = 0, dict[str, str]()
    for table, header, parts in write_tables(schools, school_days(), photos=world.photos):
        file, digest = folder / f"{TABLES.index(table):02}_{table}.csv", sha256()
        with file.open("wb") as out:
            for part in _with_header(header, parts):
                content = part.encode()
                out.write(content)
                digest.update(content)
                rows += content.count(b"\n")
                if table == TABLES[-1]:
                    advance()
        rows, hashes[file.name] = rows - 1, digest.hexdigest()
    return rows, hashes


def _with_header(header: str, parts: Iterator[str]) -> Iterator[str]:
    yield f"{header}\n{next(parts)}"
    yield from parts


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Make a temporary folder on the same file system; at the end it is deleted unless it was moved into place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    outer = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        new = outer / "new"
        new.mkdir()
        yield new
    finally:
        shutil.rmtree(outer, ignore_errors=True)


def _put_in_place(new: Path, folder: Path) -> None:
    if folder.exists():
        old = folder.rename(new.with_name("old"))
        try:
            new.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    else:
        new.rename(folder)


def _read_record(folder: Path) -> dict[str, str]:
    try:
        record = json.loads((folder / RECORD).read_text())
        return dict(record["files"]) if record["by"] == "inv generate" else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        from hashlib import file_digest

        return file_digest(content, "sha256").hexdigest()
