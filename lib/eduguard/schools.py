"""Schools, and the collection of a target that holds the faces of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError, suggest
from eduguard.identifiers import PLACEHOLDER

if TYPE_CHECKING:
    from psycopg import Connection

_SHOWN = 10  # names in a message
_OVERRIDES = """
SELECT aws_collection_id, array_agg(DISTINCT school_id) FROM students
WHERE aws_collection_id IS NOT NULL GROUP BY 1 ORDER BY 1
"""
# A school without students has no faces yet, and perhaps no collection. If the rows of all its students name other
# collections, the school has none of its own.
_SCHOOLS = """
SELECT id, EXISTS (SELECT FROM students WHERE school_id = schools.id AND aws_collection_id IS NULL)
FROM schools WHERE EXISTS (SELECT FROM students WHERE school_id = schools.id) ORDER BY id
"""
_COUNTS = "SELECT (SELECT count(*) FROM students), count(*), count(*) FILTER (WHERE face_id = %s) FROM student_faces"
_FIND = """
SELECT id FROM students
WHERE (%(student)s = '' OR id = %(student)s) AND (%(grade)s = '' OR grade_id = %(grade)s)
"""
_STUDENTS = "SELECT id, school_id, aws_collection_id FROM students WHERE id = ANY (%s) ORDER BY id"
# A collection holds the faces of the students of its school, except those whose rows name another collection.
OF_SCOPE = """
(s.aws_collection_id = %(collection)s OR s.aws_collection_id IS NULL AND s.school_id = %(school)s)
AND (%(students)s::text[] IS NULL OR s.id = ANY (%(students)s))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A collection and the schools whose faces are in it."""

    collection: str
    school: str | None = None
    """the school that owns the collection; None: it serves single students only, or the database has no school yet"""
    guests: tuple[str, ...] = ()
    """the schools with students whose rows name this collection"""

    @property
    def schools(self) -> set[str]:
        """Return every school with faces here."""
        return {*self.guests, *([self.school] if self.school else [])}

    @property
    def key(self) -> str:
        """Return the school; for a collection of single students, a key that cannot be the id of a school."""
        return self.school or f"collection {self.collection}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The students and rows that are meant: those of a place, limited to named students if any are named."""

    place: Place
    students: frozenset[str] | None = None

    def parameters(self) -> dict[str, str | list[str] | None]:
        """Return the parameters of the queries that read this scope."""
        students = None if self.students is None else sorted(self.students)
        return {"collection": self.place.collection, "school": self.place.school, "students": students}


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The collections in a target's settings: one for each named school, and one for the only school not named."""

    target: str
    collection: str
    collections: Mapping[str, str]

    def configured(self, school: str = "") -> list[Place]:
        """Return the collections in the settings, which need no database; `collection` may belong to a school."""
        named = [Place(collection=collection, school=school) for school, collection in self.collections.items()]
        return [
            Place(collection=self.collection, school=None if school in self.collections else school or None),
            *named,
        ]

    def of_schools(self, schools: Sequence[str]) -> dict[str, str]:
        """Return the collection of each school; a pure function.

        Raises:
            EduguardError: when the target's `collection` would belong to more than one school.
        """
        others = [school for school in schools if school not in self.collections]
        if len(others) > 1:
            raise EduguardError(
                f"Schools without a collection of their own on target {self.target}: {_name(others)}",
                hint=f"`collection` is that of one school. Name the others in invoke.yaml: targets.{self.target}."
                f"collections: {{{others[-1]}: COLLECTION}}",
            )
        return {school: self.collections.get(school, self.collection) for school in schools}

    def of_rows(self, rows: Mapping[str, tuple[str | None, str | None]]) -> dict[str, Place]:
        """Return the place of each student's faces, from rows that are not in a database yet; a pure function.

        Args:
            rows: the school of each student, and the collection that the student's row names, if any.
        """
        owned = self.of_schools(sorted({school for school, _ in rows.values() if school}))
        places = {collection: Place(collection=collection, school=school) for school, collection in owned.items()}
        names = {
            student: override or owned.get(school or "", self.collection)
            for student, (school, override) in rows.items()
        }
        return {student: places.get(name) or Place(collection=name) for student, name in names.items()}

    def read(self, conn: "Connection") -> list[Place]:
        """Return every collection of the database's students, the schools' collections first; read-only.

        For a database without students, return the collections in the settings.
        """
        schools: dict[str, bool] = dict(conn.execute(_SCHOOLS).fetchall())
        if not schools:
            return self.configured()
        guests = {collection: tuple(of) for collection, of in conn.execute(_OVERRIDES)}
        places = [
            Place(collection=collection, school=school, guests=guests.pop(collection, ()))
            for school, collection in self.of_schools(list(schools)).items()
            if schools[school] or collection in guests
        ]
        return places + [Place(collection=collection, guests=of) for collection, of in guests.items()]

    def of_students(self, conn: "Connection", students: Iterable[str]) -> dict[str, Place]:
        """Return the place of each student's faces; read-only.

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
            raise _unknown(conn, unknown)
        return found


def check_students(conn: "Connection", students: Iterable[str]) -> None:
    """Refuse students that do not exist, by name; read-only."""
    wanted = sorted(set(students))
    known = {student for (student,) in conn.execute("SELECT id FROM students WHERE id = ANY (%s)", [wanted])}
    if unknown := [student for student in wanted if student not in known]:
        raise _unknown(conn, unknown)


def _unknown(conn: "Connection", students: Sequence[str]) -> EduguardError:
    every = [student for (student,) in conn.execute("SELECT id FROM students")]
    hint = suggest(students[0], every, "The table students has a row for each.")
    return EduguardError(f"No such student: {_name(students)}", hint=hint)


def find_students(conn: "Connection", student: str, grade: str) -> frozenset[str] | None:
    """Return the ids of one student, or of the students of a grade; None if neither is named; read-only.

    Raises:
        EduguardError: when there is no such student.
    """
    if not (student or grade):
        return None
    found = frozenset(name for (name,) in conn.execute(_FIND, {"student": student, "grade": grade}))
    if not found:
        every = conn.execute("SELECT id FROM students" if student else "SELECT id FROM grades").fetchall()
        hint = "--student takes the id of a student, --grade the id of a grade."
        raise EduguardError(
            f"There is no student {student or f'in grade {grade}'}",
            hint=suggest(student or grade, [known for (known,) in every], hint),
        )
    return found


def count_school(conn: "Connection") -> tuple[int, int, int]:
    """Return how many students and rows of faces there are, and how many of these rows wait for a sync; read-only."""
    return conn.execute(_COUNTS, [PLACEHOLDER]).fetchone() or (0, 0, 0)


def list_placeholders(conn: "Connection", limit: int) -> list[str]:
    """Return the external image ids of the first rows that wait for a sync; read-only."""
    query = "SELECT external_image_id FROM student_faces WHERE face_id = %s ORDER BY 1 LIMIT %s"
    return [external for (external,) in conn.execute(query, [PLACEHOLDER, limit])]


def choose(places: Sequence[Place], *, school: str = "", collection: str = "") -> list[Place]:
    """Return the places of one school, or of one collection; all places if neither is named; a pure function.

    Raises:
        EduguardError: when no place matches.
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
