"""Schools, and in which collection of a target the faces of each are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from psycopg import Connection

_SHOWN = 10  # names in a message
_OVERRIDES = """
SELECT aws_collection_id, array_agg(DISTINCT school_id) FROM students
WHERE aws_collection_id IS NOT NULL GROUP BY 1 ORDER BY 1
"""
_STUDENTS = "SELECT id, school_id, aws_collection_id FROM students WHERE id = ANY (%s) ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A collection and whose faces are in it."""

    collection: str
    school: str | None = None
    """the school whose collection it is; None: that of single students only, or the database has no school yet"""
    guests: tuple[str, ...] = ()
    """the schools with students whose rows name this collection"""

    @property
    def schools(self) -> set[str]:
        """Return every school with faces here."""
        return {*self.guests, *([self.school] if self.school else [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a target's settings say: the collection of each school, and of the only school that is not named."""

    target: str
    collection: str
    collections: Mapping[str, str]

    def configured(self) -> list[Place]:
        """Return the collections of the settings: what is known without a database."""
        named = [Place(collection=collection, school=school) for school, collection in self.collections.items()]
        return [Place(collection=self.collection), *named]

    def of_schools(self, schools: Sequence[str]) -> dict[str, str]:
        """Return the collection of each school; a pure function.

        Raises:
            EduguardError: when more than one school would have the target's `collection`.
        """
        others = [school for school in schools if school not in self.collections]
        if len(others) > 1:
            raise EduguardError(
                f"Schools without a collection of their own on target {self.target}: {_name(others)}",
                hint=f"`collection` is that of one school. Name the others in invoke.yaml: targets.{self.target}."
                f"collections: {{{others[-1]}: COLLECTION}}",
            )
        return {school: self.collections.get(school, self.collection) for school in schools}

    def of_rows(self, rows: Mapping[str, tuple[str | None, str | None]]) -> dict[str, str]:
        """Return the collection of each student from rows that are not in a database yet; a pure function.

        Args:
            rows: the school of each student, and the collection that the row names, if any.
        """
        owned = self.of_schools(sorted({school for school, _ in rows.values() if school}))
        return {
            student: override or owned.get(school or "", self.collection)
            for student, (school, override) in rows.items()
        }

    def read(self, conn: "Connection") -> list[Place]:
        """Return every collection that holds faces of the database's students, schools first; read-only."""
        schools = [school for (school,) in conn.execute("SELECT id FROM schools ORDER BY id")]
        if not schools:
            return self.configured()
        guests = {collection: tuple(of) for collection, of in conn.execute(_OVERRIDES)}
        owned = self.of_schools(schools)
        places = [
            Place(collection=collection, school=school, guests=guests.pop(collection, ()))
            for school, collection in owned.items()
        ]
        return places + [Place(collection=collection, guests=of) for collection, of in guests.items()]

    def of_students(self, conn: "Connection", students: Iterable[str]) -> dict[str, Place]:
        """Return where the faces of each student are; read-only.

        Raises:
            EduguardError: naming the students that do not exist.
        """
        wanted, places = sorted(set(students)), {place.collection: place for place in self.read(conn)}
        owned = {place.school: place.collection for place in places.values()}
        found = {
            student: places[override or owned[school]]
            for student, school, override in conn.execute(_STUDENTS, [wanted])
        }
        if unknown := [student for student in wanted if student not in found]:
            raise EduguardError(f"No such student: {_name(unknown)}", hint="The table students has a row for each.")
        return found


def choose(places: Sequence[Place], *, school: str = "", collection: str = "") -> list[Place]:
    """Return the places of one school, or the one collection; all of them without either; a pure function.

    Raises:
        EduguardError: when there is none.
    """
    chosen = [each for each in places if not collection or each.collection == collection]
    if collection and not chosen:
        raise EduguardError(
            f"No school has its faces in collection {collection}, but in: {_name([p.collection for p in places])}",
            hint="`collection` and `collections` of the target in invoke.yaml say where each school's faces are; "
            "students.aws_collection_id says it of a student.",
        )
    chosen = [each for each in chosen if not school or school in each.schools]
    if school and not chosen:
        known = sorted({name for place in places for name in place.schools})
        raise EduguardError(
            f"There is no school {school}" + (f" with faces in {collection}" if collection else ""),
            hint=f"There are: {_name(known)}",
        )
    return chosen


def _name(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + rest
