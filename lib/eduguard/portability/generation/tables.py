"""The rows of made-up schools, table by table, as lines of CSV fixtures."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from eduguard.identifiers import external_image_id, photo_key
from eduguard.portability.generation import people
from eduguard.portability.generation.dice import pool, stream, token
from eduguard.portability.generation.school import GRADES, STAGES, Grade, School, Section, Student
from eduguard.portability.generation.school_year import ABSENT, EXCUSED, YEAR, Day, attend

# The courses of each section, and the time of the first meeting on a day; each weekday has one course.
_COURSES = (
    ("lenguaje", "Lenguaje y Comunicación", 8),
    ("matematica", "Matemática", 6),
    ("ciencias", "Ciencias Naturales", 3),
    ("historia", "Historia, Geografía y Ciencias Sociales", 3),
    ("ingles", "Inglés", 2.5),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_BEGINS, _TAKEN, _ENDS = "08:30", "08:41", "10:00"
_COURSES_OF_HEAD = 2  # the head teacher gives the first courses, a second teacher the others
_CANCELLED = 0.01  # of the sessions
_CAPACITY = 45

TABLES = pool(
    "schools stages grades teachers grade_sections classrooms courses classes legal_guardians students student_faces "
    "class_enrollments sessions attendance"
)
"""the tables, in the order of the foreign keys"""

Rows = Iterable[Sequence[object]]
RowsOf = Callable[[School, Section], Rows]
LinesOf = Callable[[School, Section], Iterator[str]]


def write_tables(
    schools: Sequence[School], days: Sequence[Day], *, photos: bool
) -> Iterator[tuple[str, str, Iterator[str]]]:
    """Yield each table's name, its fixture's header, and its lines; a long table yields one section at a time."""
    for name, header, rows in _small_tables(schools):
        yield name, header, _lines(rows)
    if photos:
        header = "id,student_id,external_image_id,photo_url"
        yield "student_faces", header, _lines(row for school in schools for row in _faces(school))
    yield "class_enrollments", "id,class_id,student_id,enrolled_on,status", _each(schools, _enrolments)
    yield (
        "sessions",
        "id,class_id,starts_at,ends_at,status",
        _each(schools, lambda school, section: _sessions(school, section, days)),
    )
    yield (
        "attendance",
        "id,session_id,student_id,status,confidence,recorded_at,method,face_id",
        _each(schools, lambda school, section: _attendance(school, section, days)),
    )


def _small_tables(schools: Sequence[School]) -> Iterator[tuple[str, str, Rows]]:
    def every(rows_of: RowsOf) -> Rows:
        return (row for school in schools for section in school.sections for row in rows_of(school, section))

    yield "schools", "id,name", [(f"school-{school.key}", school.name) for school in schools]
    stages = ((f"stage-{key}", name, place) for place, (key, name) in enumerate(STAGES, start=1))
    yield "stages", "id,name,position", stages
    grades = ((f"grade-{each.key}", f"stage-{each.stage}", each.name, each.position) for each in GRADES)
    yield "grades", "id,stage_id,name,position", grades
    yield "teachers", "id,rut,first_name,last_name,email,status", every(_teachers)
    yield "grade_sections", "id,grade_id,name,head_teacher_id", every(_grade_sections)
    yield "classrooms", "id,name,capacity", every(_classrooms)
    yield "courses", "id,grade_id,name,hours_a_week", (row for grade in GRADES for row in _courses(grade))
    yield "classes", "id,course_id,teacher_id,classroom_id,school_year,schedule,status", every(_classes)
    guardians = (row for school in schools for row in _guardians(school))
    yield "legal_guardians", "id,rut,first_name,last_name,email,phone", guardians
    yield (
        "students",
        "id,school_id,rut,first_name,last_name,birth_date,grade_id,grade_section_id,legal_guardian_id,status",
        every(_students),
    )


def _lines(rows: Rows) -> Iterator[str]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    yield text.getvalue()


def _each(schools: Iterable[School], lines_of: LinesOf) -> Iterator[str]:
    return ("".join(lines_of(school, section)) for school in schools for section in school.sections)


def _teachers(school: School, section: Section) -> Rows:
    for number in (2 * section.number, 2 * section.number + 1):
        draw = stream(school.seed, "teacher", school.number, number)
        key, rut = _teacher(school, number), people.rut(school.seed, "teacher", school.number, number)
        names = people.first_name(draw), f"{people.surname(draw)} {people.surname(draw)}"
        yield key, rut, *names, f"{key}@example.invalid", "active"


def _teacher(school: School, number: int) -> str:
    return f"teacher-{school.key}-{number + 1:04}"


def _grade_sections(school: School, section: Section) -> Rows:
    name = f"{section.grade.name} {section.letter}, {school.name}"
    head = _teacher(school, 2 * section.number)
    yield f"section-{section.key}", f"grade-{section.grade.key}", name, head


def _classrooms(school: School, section: Section) -> Rows:
    yield _classroom(school, section), f"Sala {section.number + 1}, {school.name}", _CAPACITY


def _classroom(school: School, section: Section) -> str:
    return f"room-{school.key}-{section.number + 1:03}"


def _courses(grade: Grade) -> Rows:
    for key, name, hours in _COURSES:
        yield f"course-{grade.key}-{key}", f"grade-{grade.key}", name, hours


def _classes(school: School, section: Section) -> Rows:
    for place, (course, _, _) in enumerate(_COURSES):
        teacher = _teacher(school, 2 * section.number + (place >= _COURSES_OF_HEAD))
        schedule = json.dumps([{"day": _WEEKDAYS[place], "start": _BEGINS, "end": _ENDS}])
        of = f"course-{section.grade.key}-{course}"
        yield _class(section, place), of, teacher, _classroom(school, section), YEAR, schedule, "open"


def _class(section: Section, weekday: int) -> str:
    return f"class-{section.key}-{_COURSES[weekday][0]}"


def _guardians(school: School) -> Rows:
    families = {student.family: student for student in reversed(list(school.students))}
    for family, student in sorted(families.items()):
        draw = stream(school.seed, "guardian", school.number, family)
        key, rut = _guardian(school, student), people.rut(school.seed, "guardian", school.number, family)
        surname = student.surnames[draw() < 0.8]  # noqa: PLR2004 -- most are mothers, whose surname comes second
        names = people.first_name(draw), f"{surname} {people.surname(draw)}"
        email = f"{key}@example.invalid" if draw() < 0.85 else None  # noqa: PLR2004 -- a share
        yield key, rut, *names, email, people.phone(draw)


def _guardian(school: School, student: Student) -> str:
    return f"guardian-{school.key}-{student.family + 1:05}"


def _students(school: School, section: Section) -> Rows:
    for each in section.students:
        yield (
            f"student-{each.key}",
            f"school-{school.key}",
            people.rut(school.seed, "student", school.number, each.number - 1),
            each.first_name,
            " ".join(each.surnames),
            each.birth_date,
            f"grade-{section.grade.key}",
            f"section-{section.key}",
            _guardian(school, each),
            "withdrawn" if each.left else "active",
        )


def _faces(school: School) -> Rows:
    for student in school.students:
        name = f"student-{student.key}"
        yield f"face-{student.key}-1", name, external_image_id(name, 1), photo_key(name, 1)


def _enrolments(_: School, section: Section) -> Iterator[str]:
    for weekday, (course, _name, _hours) in enumerate(_COURSES):
        for each in section.students:
            status = "withdrawn" if each.left else "enrolled"
            name, key = _class(section, weekday), f"{each.key}-{course}"
            yield f"enrollment-{key},{name},student-{each.key},{each.joined.date},{status}\n"


def _meetings(school: School, section: Section, days: Sequence[Day]) -> Iterator[tuple[Day, str, bool]]:
    """Yield each day, the id of the section's session on it, and whether the session was held."""
    draw = stream(school.seed, "meetings", section.key)
    for day in days:
        yield day, f"session-{section.key}-{day.date:%m%d}", draw() >= _CANCELLED


def _sessions(school: School, section: Section, days: Sequence[Day]) -> Iterator[str]:
    for day, session, was_held in _meetings(school, section, days):
        begins, ends = f"{day.date} {_BEGINS}{day.offset}", f"{day.date} {_ENDS}{day.offset}"
        status = "held" if was_held else "cancelled"
        yield f"{session},{_class(section, day.weekday)},{begins},{ends},{status}\n"


def _attendance(school: School, section: Section, days: Sequence[Day]) -> Iterator[str]:
    risks = [day.risk for day in days]
    years = []
    for each in section.students:
        draw, hexes = stream(school.seed, "attendance", each.key), token(school.seed, "face", each.key)
        face = f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:]}"
        last = each.left.number if each.left else len(days)
        years.append((each.key, face, each.joined.number, last, attend(draw, risks), draw))
    for day, session, was_held in _meetings(school, section, days):
        if not was_held:
            continue
        number, stamp, taken = day.number, f"{day.date:%m%d}", f"{day.date} {_TAKEN}{day.offset}"
        for key, face, first, last, statuses, draw in years:
            if first <= number < last:
                status = statuses[number]
                start = f"attendance-{key}-{stamp},{session},student-{key},{status}"
                if status in (ABSENT, EXCUSED):
                    yield f"{start},,{taken},manual,\n"
                else:
                    yield f"{start},{100 - 4 * draw() ** 3:.2f},{taken},face,{face}\n"
