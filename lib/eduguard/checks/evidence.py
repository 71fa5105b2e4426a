"""What the doctor's checks look at: each thing is read once, when the first check asks for it; read-only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from eduguard import migrations
from eduguard.aws import CollectionState, Face, Identity, read_faces
from eduguard.checks.look_alikes import LookAlike, find_look_alikes
from eduguard.errors import EduguardError
from eduguard.identifiers import PHOTOS, external_image_id, split_photo_key
from eduguard.postgres import connect
from eduguard.rebuild import protection
from eduguard.settings import Settings
from eduguard.sync import FaceRow, Scope, read_rows
from eduguard.targets import target_bucket, target_collection, target_database, target_identity

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The target's database: whether it is there, which migrations are pending, how many faces it has."""

    name: str
    server: str
    exists: bool
    pending: tuple[str, ...] = ()
    faces: int = 0

    @property
    def has_rows(self) -> bool:
        """Say whether its rows can be compared with faces."""
        return self.exists and not self.pending


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is there, or the error that reading it raised; None where what it needs could not be read."""

    settings: Settings
    wants_look_alikes: bool = False
    """whether every face is searched for: a request each"""

    @cached_property
    def identity(self) -> Identity | EduguardError:
        """Whose credentials are used."""
        return _read(lambda: target_identity(self.settings))

    @cached_property
    def database(self) -> DatabaseFacts | EduguardError:
        """The target's database."""
        return _read(lambda: _read_database(self.settings))

    @cached_property
    def rows(self) -> list[FaceRow] | EduguardError | None:
        """The rows of the collection's students."""
        if isinstance(self.database, EduguardError) or not self.database.has_rows:
            return None
        return _read(lambda: _read_rows(self.settings))

    @cached_property
    def collection(self) -> CollectionState | EduguardError:
        """The collection as it describes itself."""
        return _read(lambda: target_collection(self.settings).require())

    @cached_property
    def faces(self) -> list[Face] | EduguardError | None:
        """Every face of the collection."""
        if isinstance(self.collection, EduguardError):
            return None
        return _read(lambda: read_faces(target_collection(self.settings)))

    @cached_property
    def photos(self) -> set[str] | EduguardError:
        """The external image ids of the photos in the bucket."""
        return _read(lambda: _read_photos(self.settings))

    @cached_property
    def look_alikes(self) -> list[LookAlike] | EduguardError | None:
        """The faces that are alike across students, where they are asked for."""
        faces, photos, settings = self.faces, self.photos, self.settings
        if not self.wants_look_alikes or not isinstance(faces, list) or not isinstance(photos, set):
            return None
        return _read(
            lambda: find_look_alikes(
                faces,
                collection=target_collection(settings),
                bucket=target_bucket(settings),
                photos=photos,
                threshold=settings.match_threshold,
            )
        )

    def known_students(self, ids: set[str]) -> set[str]:
        """Return those of these students that the database has."""
        with connect(target_database(self.settings), purpose="doctor") as conn:
            return {row[0] for row in conn.execute("SELECT id FROM students WHERE id = ANY (%s)", [sorted(ids)])}


def _read(read: Callable[[], T]) -> T | EduguardError:
    try:
        return read()
    except EduguardError as error:
        return error


def _read_database(settings: Settings) -> DatabaseFacts:
    database = target_database(settings)
    state = protection.inspect(database)
    if not state.exists:
        return DatabaseFacts(name=database.name, server=state.server, exists=False)
    pending = tuple(migrations.plan(database, settings.migrations_folder).pending)
    with connect(database, purpose="doctor") as conn:
        faces = protection.count_rows(conn).get("student_faces", 0)
    return DatabaseFacts(name=database.name, server=state.server, exists=True, pending=pending, faces=faces)


def _read_rows(settings: Settings) -> list[FaceRow]:
    with connect(target_database(settings), purpose="doctor") as conn:
        return read_rows(conn, Scope(collection=settings.target.collection))


def _read_photos(settings: Settings) -> set[str]:
    keys = map(split_photo_key, target_bucket(settings).sizes(PHOTOS))
    return {external_image_id(*parts) for parts in keys if parts}
