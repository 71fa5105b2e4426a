"""The data that the doctor's checks examine. Each part is read once, when a check first needs it; read-only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from eduguard import migrations
from eduguard.aws import Collection, CollectionState, Face, Identity, read_faces
from eduguard.checks.look_alikes import LookAlike, find_look_alikes
from eduguard.errors import EduguardError
from eduguard.identifiers import PHOTOS, external_image_id, split_photo_key
from eduguard.postgres import connect
from eduguard.progress import Progress
from eduguard.rebuild import protection
from eduguard.schools import Place, Scope
from eduguard.settings import Settings
from eduguard.sync import FaceRow, read_rows
from eduguard.targets import target_bucket, target_collection, target_database, target_identity, target_places

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """The target's database: whether it exists, which migrations are pending, how many faces it has."""

    name: str
    server: str
    exists: bool
    pending: tuple[str, ...] = ()
    faces: int = 0

    @property
    def has_rows(self) -> bool:
        """Say whether the database's rows can be compared with faces."""
        return self.exists and not self.pending


@dataclass(frozen=True, kw_only=True)
class PlaceEvidence:
    """One collection and its rows, or the error that reading them raised."""

    settings: Settings
    place: Place
    has_rows: bool

    @cached_property
    def rows(self) -> list[FaceRow] | EduguardError | None:
        """The rows of the collection's students."""
        return _read(lambda: _read_rows(self.settings, self.place)) if self.has_rows else None

    @cached_property
    def collection(self) -> CollectionState | EduguardError:
        """The collection as it describes itself."""
        return _read(lambda: self._open().require())

    @cached_property
    def faces(self) -> list[Face] | EduguardError | None:
        """Every face of the collection."""
        if isinstance(self.collection, EduguardError):
            return None
        return _read(lambda: read_faces(self._open()))

    def _open(self) -> Collection:
        return target_collection(self.settings, self.place.collection)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything read, or the error that reading it raised; None if something it depends on could not be read."""

    settings: Settings
    wants_look_alikes: bool = False
    """whether to search for every face, which takes a request for each"""
    progress: Progress = field(default_factory=Progress)
    """shown only while it is entered as a context manager"""

    @cached_property
    def identity(self) -> Identity | EduguardError:
        """Whose credentials are used."""
        return _read(lambda: target_identity(self.settings))

    @cached_property
    def database(self) -> DatabaseFacts | EduguardError:
        """The target's database."""
        return _read(lambda: _read_database(self.settings))

    @cached_property
    def places(self) -> list[PlaceEvidence] | EduguardError:
        """Each collection and its rows. The database names the collections; without a database, the settings do."""
        has_rows = not isinstance(self.database, EduguardError) and self.database.has_rows
        found = _read(lambda: _read_places(self.settings, has_rows=has_rows))
        if isinstance(found, EduguardError):
            return found
        return [PlaceEvidence(settings=self.settings, place=place, has_rows=has_rows) for place in found]

    @cached_property
    def photos(self) -> set[str] | EduguardError:
        """The external image ids of the photos in the bucket."""
        return _read(lambda: _read_photos(self.settings))

    @cached_property
    def look_alikes(self) -> list[LookAlike] | EduguardError | None:
        """The similar faces of different students in one collection, if they are asked for."""
        photos, settings = self.photos, self.settings
        if not self.wants_look_alikes or isinstance(self.places, EduguardError) or not isinstance(photos, set):
            return None
        listed = [(place, place.faces) for place in self.places]
        total = sum(len(faces) for _, faces in listed if isinstance(faces, list))
        step = self.progress.begin("look-alikes", total, "faces")
        return _read(
            lambda: [
                pair
                for place, faces in listed
                if isinstance(faces, list)
                for pair in find_look_alikes(
                    faces,
                    collection=target_collection(settings, place.place.collection),
                    bucket=target_bucket(settings),
                    photos=photos,
                    threshold=settings.match_threshold,
                    advance=step.advance,
                )
            ]
        )

    def known_students(self, ids: set[str]) -> set[str]:
        """Return which of these students are in the database."""
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


def _read_places(settings: Settings, *, has_rows: bool) -> list[Place]:
    if not has_rows:
        return target_places(settings)
    with connect(target_database(settings), purpose="doctor") as conn:
        return target_places(settings, conn)


def _read_rows(settings: Settings, place: Place) -> list[FaceRow]:
    with connect(target_database(settings), purpose="doctor") as conn:
        return read_rows(conn, Scope(place=place))


def _read_photos(settings: Settings) -> set[str]:
    keys = map(split_photo_key, target_bucket(settings).sizes(PHOTOS))
    return {external_image_id(*parts) for parts in keys if parts}
