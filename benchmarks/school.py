"""Write an invented school of any size, as YAML or CSV fixtures and as one SQL file with the same rows.

python benchmarks/school.py FOLDER STUDENTS writes FOLDER/seed_data, large tables as CSV, and
FOLDER/rows.sql. Each student has nine rows, and every school about two hundred more; equal sizes give equal files.
"""

import csv
import random
import sys
from collections.abc import Iterator
from pathlib import Path

Row = dict[str, str | int]
CLASSES = 60
LARGE = 1_000  # rows; from this size on, a fixture is CSV
FIRST = ("Amaru", "Brisa", "Ciro", "Dalia", "Elian", "Fresia", "Gael", "Inti", "Javiera", "Lautaro", "Maite", "Nahuel")
LAST = ("Alerce", "Boldo", "Canelo", "Laurel", "Maqui", "Notro", "Peumo", "Quillay", "Raulí", "Tepa", "Ulmo", "Voqui")


def make_tables(students: int) -> dict[str, list[Row]]:
    """Return the rows of every table, each table after those it references."""
    return {
        "schools": [{"id": "school-001", "name": "Escuela"}],
        "stages": [{"id": f"stage-{n}", "name": f"Ciclo {n}", "position": n} for n in range(1, 4)],
        "grades": [
            {"id": f"grade-{n}", "stage_id": f"stage-{1 + n % 3}", "name": f"Nivel {n}", "position": n}
            for n in range(1, 13)
        ],
        "teachers": [
            _person("teacher", n, 9_000_000) | {"email": f"teacher-{n}@school.example", "status": "active"}
            for n in range(40)
        ],
        "grade_sections": [
            {"id": f"section-{n}", "grade_id": f"grade-{n}", "name": "A", "head_teacher_id": _id("teacher", n)}
            for n in range(1, 13)
        ],
        "classrooms": [{"id": f"room-{n}", "name": f"Sala {n}", "capacity": 30 + n % 15} for n in range(20)],
        "courses": [
            {"id": f"course-{n}", "grade_id": f"grade-{1 + n % 12}", "name": f"Ramo {n}", "hours_a_week": 2 + n % 6}
            for n in range(CLASSES)
        ],
        "classes": [
            {
                "id": f"class-{n}",
                "course_id": f"course-{n}",
                "teacher_id": _id("teacher", n % 40),
                "classroom_id": f"room-{n % 20}",
                "school_year": 2026,
                "status": "open",
            }
            for n in range(CLASSES)
        ],
        "legal_guardians": [
            _person("guardian", n, 10_000_000) | {"email": f"guardian-{n}@families.example", "phone": f"+569{n:08}"}
            for n in range(students)
        ],
        "students": [_student(n) for n in range(students)],
        "student_faces": [_face(n) for n in range(students)],
        "class_enrollments": list(_enrollments(students)),
    }


def write_fixtures(tables: dict[str, list[Row]], folder: Path) -> None:
    """Write a file for each table: CSV if the table is large, else YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (table, rows) in enumerate(tables.items(), start=1):
        file = folder / f"{number:02}_{table}"
        if len(rows) >= LARGE:
            with file.with_suffix(".csv").open("w", encoding="utf-8", newline="") as out:
                writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        else:
            parts = ("- " + "\n  ".join(f"{column}: {value}" for column, value in row.items()) for row in rows)
            file.with_suffix(".yaml").write_text("\n".join([*parts, ""]), encoding="utf-8")


def write_sql(tables: dict[str, list[Row]], file: Path) -> None:
    """Write one SQL file that loads every row with COPY."""
    with file.open("w", encoding="utf-8") as out:
        for table, rows in tables.items():
            out.write(f"COPY {table} ({', '.join(rows[0])}) FROM stdin;\n")
            out.writelines("\t".join(map(str, row.values())) + "\n" for row in rows)
            out.write("\\.\n")


def _id(kind: str, number: int) -> str:
    return f"{kind}-{number:07}"


def _person(kind: str, number: int, first_rut: int) -> Row:
    chosen = random.Random(f"{kind} {number}")  # noqa: S311 -- names, not secrets
    return {
        "id": _id(kind, number),
        "rut": f"{first_rut + number}-{number % 10}",
        "first_name": chosen.choice(FIRST),
        "last_name": f"{chosen.choice(LAST)} {chosen.choice(LAST)}",
    }


def _student(number: int) -> Row:
    return _person("student", number, 20_000_000) | {
        "birth_date": f"{2010 + number % 8}-{1 + number % 12:02}-{1 + number % 28:02}",
        "grade_id": f"grade-{1 + number % 12}",
        "grade_section_id": f"section-{1 + number % 12}",
        "legal_guardian_id": _id("guardian", number),
        "school_id": "school-001",
        "status": "active",
    }


def _face(number: int) -> Row:
    student = _id("student", number)
    return {
        "id": f"face-{number}",
        "student_id": student,
        "external_image_id": f"{student}-photo-1",
        "photo_url": f"students/{student}/photo-1.jpg",
    }


def _enrollments(students: int) -> Iterator[Row]:
    for number in range(students):
        for nth in range(6):
            yield {
                "id": f"enrollment-{number}-{nth}",
                "class_id": f"class-{(number + 10 * nth) % CLASSES}",
                "student_id": _id("student", number),
                "enrolled_on": "2026-03-04",
                "status": "enrolled",
            }


def main() -> None:
    """Write the files."""
    folder, tables = Path(sys.argv[1]), make_tables(int(sys.argv[2]))
    write_fixtures(tables, folder / "seed_data")
    write_sql(tables, folder / "rows.sql")
    print(f"{sum(map(len, tables.values())):,} rows in {folder}")


if __name__ == "__main__":
    main()
