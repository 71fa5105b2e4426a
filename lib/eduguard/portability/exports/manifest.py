"""manifest.json: what an export is, and its files with rows and hashes; a load requires it and checks the files."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from eduguard.errors import EduguardError

NAME = "manifest.json"
_FORMAT = 1
_READ = 1 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file with the rows of a table."""

    table: str
    file: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export is."""

    format: int
    database: str
    """the name of the source database on its server"""
    is_anonymised: bool
    key_fingerprint: str | None
    rules_sha256: str | None
    migrations: Mapping[str, str]
    """the SHA-256 of each applied migration file, by the name of the migration"""
    scope: Mapping[str, Any]
    made_at: str
    leak_scan: Mapping[str, int] | None
    tables: tuple[TableFile, ...]

    @property
    def newest_migration(self) -> str:
        """Return the name of the migration that the rows fit."""
        return max(self.migrations)

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return asdict(self)


def new_manifest(**values: Any) -> Manifest:
    """Return a manifest of the current format."""
    return Manifest(format=_FORMAT, **values)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest; from then on the folder can be loaded."""
    text = json.dumps(manifest.as_json(), indent=2, ensure_ascii=False) + "\n"
    with os.fdopen(os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder, without checking the files.

    Raises:
        EduguardError: if there is no manifest, or it is not one of ours.
    """
    if not folder.is_dir():
        raise EduguardError(f"There is no folder {folder}", hint="`inv export FOLDER` makes one.")
    path = folder / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != _FORMAT:
            raise EduguardError(f"{path} has format {found['format']}, and this version reads {_FORMAT}")
        tables = tuple(TableFile(**(each | {"columns": tuple(each["columns"])})) for each in found["tables"])
        return Manifest(**{field.name: found[field.name] for field in fields(Manifest)} | {"tables": tables})
    except FileNotFoundError as error:
        raise EduguardError(
            f"{folder} has no {NAME}: the export did not end", hint="Export again; nothing was loaded."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EduguardError(f"{path} is not the manifest of an export: {error!r}", hint="Export again.") from error


def check_files(folder: Path, tables: Sequence[TableFile]) -> None:
    """Refuse files that differ from the manifest.

    Raises:
        EduguardError: naming each file that is missing or was changed.
    """
    changed = [each.file for each in tables if _hash(folder / each.file) != each.sha256]
    if changed:
        raise EduguardError(
            f"{folder}: not as the manifest says: {', '.join(changed)}",
            hint="A file was changed or is gone. Export again; nothing was loaded.",
        )


def _hash(path: Path) -> str | None:
    hashed = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_READ):
                hashed.update(chunk)
    except OSError:
        return None
    return hashed.hexdigest()
