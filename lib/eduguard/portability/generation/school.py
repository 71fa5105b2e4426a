"""Make up a school: sections, students and families, none of which depends on the number of students."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from eduguard.portability.generation import people
from eduguard.portability.generation.dice import Draw, below, pick, pool, stream
from eduguard.portability.generation.school_year import YEAR, Day

STAGES = (("parvularia", "Educación Parvularia"), ("basica", "Educación Básica"), ("media", "Educación Media"))


@dataclass(frozen=True, slots=True)
class Grade:
    """A year of schooling; the position counts from 1 through all stages."""

    key: str
    name: str
    stage: str
    position: int


_NAMES = (
    ("pk", "Prekínder", "parvularia"),
    ("k", "Kínder", "parvularia"),
    *((f"{year}b", f"{year}° Básico", "basica") for year in range(1, 9)),
    *((f"{year}m", f"{roman} Medio", "media") for year, roman in enumerate(("I", "II", "III", "IV"), start=1)),
)
GRADES = tuple(Grade(key, name, stage, position) for position, (key, name, stage) in enumerate(_NAMES, start=1))
_KINDS = (("Escuela", GRADES[:10]), ("Liceo", GRADES[8:]), ("Colegio", GRADES))
_PLACES = pool(
    "Los·Avellanos El·Boldo Las·Araucarias El·Maitén Los·Quillayes El·Peumo Las·Lengas El·Arrayán Los·Coihues El·Radal "
    "Los·Ulmos El·Notro Las·Palmas El·Tamarugo Los·Chilcos El·Litre Las·Añañucas El·Molle"
)
_SMALLEST, _LARGEST = 22, 38  # students in a section
_MOST_CHILDREN = 4
_APART = 300  # days between the births of siblings who are not twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Students who are taught together; `number` is the section's number in its school, from 0."""

    number: int
    key: str
    """part of all ids that belong to the section, such as 001-1b-a"""
    grade: Grade
    letter: str
    students: tuple["Student", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """A student, numbered in the school from 1; some join late or leave early."""

    key: str
    number: int
    first_name: str
    surnames: tuple[str, str]
    birth_date: date
    family: int
    joined: Day
    left: Day | None


@dataclass(frozen=True, slots=True, kw_only=True)
class School:
    """A school with its first students; each section is filled before the next one starts."""

    seed: str
    number: int
    """counts from 0"""
    sections: tuple[Section, ...]

    @property
    def key(self) -> str:
        """Return the school's number as used in ids, from 001."""
        return f"{self.number + 1:03}"

    @property
    def kind(self) -> str:
        """Return Escuela, Liceo or Colegio."""
        return _kind_of(self.seed, self.number)[0]

    @property
    def name(self) -> str:
        """Return the school's name, which no other school has."""
        again, place = divmod(self.number, len(_PLACES))
        start = below(stream(self.seed, "places"), len(_PLACES))
        return f"{self.kind} {_PLACES[(start + place) % len(_PLACES)]}" + (f" {again + 1}" if again else "")

    @property
    def students(self) -> Iterator[Student]:
        """Return the students of all sections."""
        return (student for section in self.sections for student in section.students)


def make_school(seed: str, number: int, count: int, days: Sequence[Day]) -> School:
    """Return a school with this many students; a larger school begins with the same ones; a pure function."""
    grades, families = _kind_of(seed, number)[1], _Families()
    sections, done = list[Section](), 0
    while done < count:
        place = len(sections)
        grade, letter = grades[place % len(grades)], _letter(place // len(grades))
        size = _SMALLEST + below(stream(seed, "section", number, place), _LARGEST - _SMALLEST + 1)
        students = tuple(
            _make_student(seed, number, each, grade, families, days, is_first=each == done + 1)
            for each in range(done + 1, min(done + size, count) + 1)
        )
        key = f"{number + 1:03}-{grade.key}-{letter.lower()}"
        sections.append(Section(number=place, key=key, grade=grade, letter=letter, students=students))
        done += size
    return School(seed=seed, number=number, sections=tuple(sections))


def _kind_of(seed: str, number: int) -> tuple[str, tuple[Grade, ...]]:
    return pick(stream(seed, "school", number), _KINDS)


def _letter(number: int) -> str:
    return ("" if number < 26 else _letter(number // 26 - 1)) + chr(ord("A") + number % 26)  # noqa: PLR2004 -- letters


class _Families:
    """The families of a school so far; a student can only become a sibling of earlier students."""

    def __init__(self) -> None:
        self._of_student: list[int] = []
        self._births: list[list[date]] = []
        self._surnames: list[tuple[str, str]] = []

    def join(self, draw: Draw, born: date, *, is_first: bool) -> tuple[int, tuple[str, str], date]:
        """Put the next student into a family; return the family's number and surnames, and the student's birth date.

        A twin has the birth date of the student before.

        Args:
            draw: the student's stream.
            born: the birth date, if the student is not a twin.
            is_first: whether the student is the first of a section; a student of another section is not a twin.
        """
        has_sibling, is_twin, place = draw() < 0.35, draw() < 0.02, draw()  # noqa: PLR2004 -- shares
        surnames = (people.surname(draw), people.surname(draw))
        is_twin = is_twin and not is_first
        if self._of_student and (has_sibling or is_twin):
            family = self._of_student[-1 if is_twin else int(place * len(self._of_student))]
            births = self._births[family]
            if is_twin and len(births) == 1:
                return self._add(family, births[0])
            if len(births) < _MOST_CHILDREN and all(abs((born - other).days) >= _APART for other in births):
                return self._add(family, born)
        self._births.append([])
        self._surnames.append(surnames)
        return self._add(len(self._births) - 1, born)

    def _add(self, family: int, born: date) -> tuple[int, tuple[str, str], date]:
        self._of_student.append(family)
        self._births[family].append(born)
        return family, self._surnames[family], born


def _make_student(
    seed: str, school: int, number: int, grade: Grade, families: _Families, days: Sequence[Day], *, is_first: bool
) -> Student:
    draw = stream(seed, "student", school, number)
    name = people.first_name(draw)
    family, surnames, born = families.join(draw, people.birth_date(draw, grade.position, YEAR), is_first=is_first)
    joined = days[0] if draw() < 0.97 else pick(draw, days[5:100])  # noqa: PLR2004 -- a share
    left = None if draw() < 0.98 else pick(draw, days[110:])  # noqa: PLR2004 -- a share
    return Student(
        key=f"{school + 1:03}-{number:05}",
        number=number,
        first_name=name,
        surnames=surnames,
        birth_date=born,
        family=family,
        joined=joined,
        left=left,
    )
