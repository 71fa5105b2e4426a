"""Export and load: a school is copied to another database without the data of real people."""

import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eduguard.portability.exports import rut
from eduguard.postgres import Database, connect, execute_for

ROOT = Path(__file__).parents[2]
KEY, OTHER_KEY = "01" * 32, "02" * 32
School = Any  # of conftest.py
Inv = Callable[..., subprocess.CompletedProcess[str]]
ROWS = b"""
INSERT INTO sessions (id, class_id, starts_at)
SELECT 'session-' || n, class, timestamptz '2026-03-02 08:30Z' + n * interval '1 day'
FROM generate_series(1, 20) n, (SELECT min(id) AS class FROM classes) c;
INSERT INTO attendance (id, session_id, student_id, status, method, face_id, confidence)
SELECT m.id || '-' || s.id, m.id, s.id, 'present', 'face', gen_random_uuid(), 99 FROM sessions m, students s;
UPDATE students SET first_name = 'Zoraida', last_name = 'Quintreman Llancafil' WHERE id = 'student-002';
UPDATE legal_guardians SET email = 'zoraida@correo.cl', phone = '+56987651234', rut = '24567890-7'
WHERE id = 'guardian-001'
"""
NAMES = ("Zoraida", "Quintreman Llancafil", "zoraida@correo.cl", "+56987651234", "24567890-7")


@dataclass
class Source:
    """A school with attendance, to be exported."""

    database: Database
    inv: Inv
    folder: Path

    def export(self, name: str, *flags: str, key: str = KEY, check: bool = True, **more: str) -> Path:
        self.done = self.inv("export", str(self.folder / name), *flags, check=check, ANONYMISE_KEY=key, **more)
        return self.folder / name

    def execute(self, statement: str) -> None:
        with connect(self.database, purpose="tests") as conn:
            conn.execute(statement.encode())


@pytest.fixture(scope="module")
def filled(seeded: Database) -> Iterator[Database]:
    """A school with attendance, to be cloned."""
    named = seeded.named(f"{seeded.name}_filled")
    with connect(named.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", named, seeded)
    with connect(named, purpose="tests") as conn:
        conn.execute(ROWS)
    yield named
    with connect(named.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", named)


@pytest.fixture
def source(inv: Inv, database: Database, filled: Database, tmp_path: Path) -> Source:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, filled)
    return Source(database, inv, tmp_path)


@pytest.fixture(scope="module")
def exported_once(
    run_inv: Callable[[Database], Inv], filled: Database, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An export of all rows of the school, without the data of real people."""
    folder = tmp_path_factory.mktemp("exports") / "out"
    run_inv(filled)("export", str(folder), ANONYMISE_KEY=KEY)
    return folder


@pytest.fixture
def exported(exported_once: Path, tmp_path: Path) -> Path:
    """A copy of the export, which a test may change."""
    return Path(shutil.copytree(exported_once, tmp_path / "exported"))


@pytest.fixture
def target(run_inv: Callable[[Database], Inv], server_url: str, database: Database) -> Any:
    named = database.named(f"{database.name}_staging")
    yield run_inv(named), named
    with connect(named.maintenance, purpose="tests") as conn:
        for each in (named, named.next, named.previous, named.discarded):
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)


def read_rows(folder: Path, table: str) -> list[dict[str, str]]:
    (path,) = folder.glob(f"[0-9][0-9]_{table}.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_counts(database: Database) -> dict[str, int]:
    from eduguard.rebuild.protection import count_rows

    with connect(database, purpose="tests") as conn:
        return count_rows(conn)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.csv")}


@pytest.mark.slow
def test_a_school_goes_to_another_database_without_its_people(source: Source, target: tuple[Inv, Database]) -> None:
    folder = source.export("out")
    everything = "\n".join(path.read_text() for path in folder.iterdir())
    assert [name for name in NAMES if name.casefold() in everything.casefold()] == []
    assert not re.search(r"student-0|guardian-0|teacher-0", everything)
    assert "all 309 rows in 14 tables" in source.done.stdout
    assert re.search(r"^leak       0 of \d+ original values found in the output$", source.done.stdout, re.MULTILINE)
    inv, staging = target
    done = inv("load", str(folder), "status")
    assert "load       " in done.stdout
    assert read_counts(staging) == read_counts(source.database)
    with connect(staging, purpose="tests") as conn:
        ruts = [row[0] for row in conn.execute("SELECT rut FROM students UNION ALL SELECT rut FROM legal_guardians")]
        assert all(rut.LOWEST <= (rut.parse(each) or 0) <= rut.HIGHEST for each in ruts)
        invalid = "SELECT count(*) FROM pg_constraint WHERE NOT convalidated OR NOT (to_jsonb(pg_constraint) ->> 'conenforced')::boolean"
        assert conn.execute(invalid).fetchone() == (0,)
        conn.execute("UPDATE attendance SET session_id = session_id, student_id = student_id")  # every key is checked
        photo = "SELECT count(*) FROM student_faces WHERE photo_url <> format('students/%s/photo-%s.jpg', student_id, right(external_image_id, 1))"
        assert conn.execute(photo).fetchone() == (0,)
        years = "SELECT count(*) FROM students WHERE aws_collection_id IS NOT NULL OR extract(year FROM birth_date) NOT IN (2018, 2019, 2020, 2021)"
        assert conn.execute(years).fetchone() == (0,)


@pytest.mark.slow
def test_a_load_asks_for_a_database_that_is_not_ours_and_is_undone(source: Source) -> None:
    """Here the export is loaded into the database that it came from."""
    live, inv = source.database, source.inv
    before, folder = read_counts(live), source.export("out", "--student", "student-001")
    asked = inv("load", str(folder), check=False)
    assert (asked.returncode, f"pass --confirm {live.name}" in asked.stderr) == (1, True)
    inv("load", str(folder), "--confirm", live.name)
    assert read_counts(live)["students"] == 1
    inv("undo")
    assert read_counts(live) == before


@pytest.mark.slow
def test_the_same_key_makes_the_same_bytes_and_another_key_others(source: Source) -> None:
    one, again, other = source.export("one"), source.export("again"), source.export("other", key=OTHER_KEY)
    assert hashes(one) == hashes(again)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (one, again, other)]
    assert [each["key_fingerprint"] == manifests[0]["key_fingerprint"] for each in manifests] == [True, True, False]
    personal = [("students", name) for name in ("id", "rut", "first_name", "last_name")] + [
        ("attendance", "id"),
        ("attendance", "face_id"),
    ]
    for table, column in personal:
        first, second = ({row[column] for row in read_rows(folder, table)} for folder in (one, other))
        assert not first & second


@pytest.mark.slow
def test_the_key_of_the_file_is_made_once_and_said(source: Source, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "anonymise.key"
    folder = source.export("one", key="", INVOKE_ANONYMISE_KEY=str(file))
    assert f"made the key of exports, {file}" in source.done.stderr
    again = source.export("again", key="", INVOKE_ANONYMISE_KEY=str(file))
    assert "made the key" not in source.done.stderr
    assert hashes(folder) == hashes(again)
    assert file.read_text().strip() not in (folder / "manifest.json").read_text() + source.done.stdout


@pytest.mark.slow
def test_a_grade_takes_what_it_needs_and_nothing_more(source: Source) -> None:
    folder = source.export("out", "--grade", "grade-2b")
    assert len(read_rows(folder, "students")) == 2
    assert len(read_rows(folder, "student_faces")) == 6
    assert {row["id"] for row in read_rows(folder, "grades")} >= {"grade-2b"}
    assert len(read_rows(folder, "attendance")) == 40
    students = {row["id"] for row in read_rows(folder, "students")}
    assert {row["student_id"] for row in read_rows(folder, "class_enrollments")} == students
    assert {row["legal_guardian_id"] for row in read_rows(folder, "students")} == {
        row["id"] for row in read_rows(folder, "legal_guardians")
    }
    assert "2 students of grade-2b and what they need:" in source.done.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param(["--grade", "grade-2"], "There is no student in grade grade-2", marks=pytest.mark.slow),
        pytest.param(
            ["--student", "student-01"],
            "No such student: student-01\n  Did you mean student-101 or student-001",
            marks=pytest.mark.slow,
        ),
        pytest.param(["--school", "school-9"], "There is no school school-9 with students", marks=pytest.mark.slow),
        (["--school", "school-001", "--grade", "grade-1b"], "--grade, --student and --school exclude each other"),
    ],
)
def test_a_scope_without_students_is_refused(source: Source, flags: list[str], said: str) -> None:
    folder = source.export("out", *flags, check=False)
    assert (source.done.returncode, folder.exists()) == (1, False)
    assert said.partition("\n")[0] in source.done.stderr


def test_a_dry_run_counts_and_writes_nothing(source: Source, tmp_path: Path) -> None:
    source.export(
        "out", "--dry-run", "--school", "school-002", "--json", key="", INVOKE_ANONYMISE_KEY=str(tmp_path / "key")
    )
    assert json.loads(source.done.stdout)["rows"]["students"] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_column_without_a_rule_stops_the_export(source: Source) -> None:
    source.execute("ALTER TABLE students ADD COLUMN allergies text")
    folder = source.export("out", check=False)
    assert (source.done.returncode, folder.exists()) == (2, False)
    assert (
        "! students.allergies text: add to anonymise.yaml, under columns, students:  allergies: clear"
        in source.done.stdout
    )


@pytest.mark.parametrize(
    "hidden",
    [
        "RUT 24.567.890-7",
        *(
            pytest.param(value, marks=pytest.mark.slow)  # test_leak_scan.py also finds them
            for value in ("Zoraida vino", "zoraida@correo.cl", "9 8765 1234", "QUINTREMAN LLANCAFIL")
        ),
    ],
)
def test_a_value_in_a_column_that_is_kept_deletes_the_output(source: Source, hidden: str) -> None:
    kept = "Zoraida" not in hidden
    source.execute(f"UPDATE classrooms SET name = '{hidden}' WHERE id = 'room-101'")
    if not kept:
        source.execute("UPDATE classrooms SET name = 'Zoraida' WHERE id = 'room-101'")
    folder = source.export("out", check=False)
    assert source.done.returncode == 1
    assert [path.name for path in source.folder.iterdir() if path.name.startswith("out")] == []
    assert not folder.exists()
    assert re.search(
        r"Original values were found in the output, which was deleted; they are of \w+\.\w+ \(1\)", source.done.stderr
    )
    assert not any(name in source.done.stderr + source.done.stdout for name in (*NAMES, hidden))


@pytest.mark.slow
def test_a_word_that_a_kept_column_has_too_is_counted(source: Source) -> None:
    source.execute("UPDATE classrooms SET name = 'Sala Zoraida Tres' WHERE id = 'room-101'")
    manifest = json.loads((source.export("out") / "manifest.json").read_text())
    assert manifest["leak_scan"]["kept_words"] >= 1


@pytest.mark.slow
def test_exempt_rows_stay_and_rows_are_chosen(source: Source, tmp_path: Path, target: tuple[Inv, Database]) -> None:
    text = (ROOT / "anonymise.yaml").read_text()
    text = text.replace("rows: {}", "rows:\n  sessions: none").replace(
        "exempt: {}", "exempt:\n  students: [student-002]"
    )
    (tmp_path / "rules.yaml").write_text(text)
    folder = source.export("out", INVOKE_ANONYMISE_FILE=str(tmp_path / "rules.yaml"))
    assert [row["first_name"] for row in read_rows(folder, "students") if row["id"] == "student-002"] == ["Zoraida"]
    assert sum(row["id"].startswith("student-") for row in read_rows(folder, "students")) == 1
    assert "student-002-photo-1" in {row["external_image_id"] for row in read_rows(folder, "student_faces")}
    assert (read_rows(folder, "sessions"), read_rows(folder, "attendance")) == ([], [])
    target[0]("load", str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.3, 0.8, 1.2, 1.6])
def test_a_killed_export_leaves_no_folder_that_can_be_loaded(source: Source, moment: float, state_folder: Path) -> None:
    folder = source.folder / "out"
    env = os.environ | {
        "DATABASE_URL": source.database.shown_url,
        "INVOKE_STATE_FOLDER": str(state_folder),
        "ANONYMISE_KEY": KEY,
    }
    running = subprocess.Popen(
        [ROOT / ".venv" / "bin" / "inv", "export", str(folder)], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    time.sleep(moment)
    running.send_signal(signal.SIGKILL)
    running.wait()
    if folder.exists():  # it had already ended
        assert (folder / "manifest.json").exists()
        return
    done = source.inv("load", str(folder), check=False)
    assert (done.returncode, "There is no folder" in done.stderr) == (1, True)
    source.export("out")
    assert [path.name for path in source.folder.iterdir() if path.name.startswith("out")] == ["out"]


@pytest.mark.slow
def test_what_was_changed_is_not_loaded(exported: Path, target: tuple[Inv, Database]) -> None:
    (inv, staging), folder = target, exported
    students = next(folder.glob("*_students.csv"))
    students.write_text(students.read_text().replace("active", "graduated", 1))
    done = inv("load", str(folder), check=False)
    assert (done.returncode, f"not as the manifest says: {students.name}" in done.stderr) == (1, True)
    (folder / "manifest.json").unlink()
    done = inv("load", str(folder), check=False)
    assert (done.returncode, "has no manifest.json: the export did not end" in done.stderr) == (1, True)
    with connect(staging.maintenance, purpose="tests") as conn:
        assert not conn.execute("SELECT FROM pg_database WHERE starts_with(datname, %s)", [staging.name]).rowcount


@pytest.mark.slow
def test_a_load_that_postgresql_refuses_leaves_the_live_database(exported: Path, target: tuple[Inv, Database]) -> None:
    (inv, staging), folder = target, exported
    inv("load", str(folder))
    students = next(folder.glob("*_students.csv"))
    students.write_text(students.read_text().replace(",active,", ",away,", 1))
    manifest = json.loads((folder / "manifest.json").read_text())
    for table in manifest["tables"]:
        if table["table"] == "students":
            table["sha256"] = hashlib.sha256(students.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    before = read_counts(staging)
    done = inv("load", str(folder), check=False)
    assert done.returncode == 1
    assert re.search(
        r"_students.csv: new row for relation \"students\" violates check constraint .*\(COPY students, line \d+\)",
        done.stderr,
    )
    assert read_counts(staging) == before


def test_people_leave_and_arrive_only_where_the_source_is_named(source: Source, target: tuple[Inv, Database]) -> None:
    name, (inv, _) = source.database.name, target
    folder = source.export("out", "--plain", check=False)
    assert (source.done.returncode, folder.exists()) == (1, False)
    assert f"To go on, pass --confirm-plain {name}" in source.done.stderr
    source.export("out", "--plain", "--confirm-plain", name)
    assert "Zoraida" in {row["first_name"] for row in read_rows(folder, "students")}
    done = inv("load", str(folder), check=False)
    assert (done.returncode, f"pass --confirm-plain {name}" in done.stderr) == (1, True)
    inv("load", str(folder), "--confirm-plain", name)


def test_an_export_of_other_migrations_is_refused(exported: Path, target: tuple[Inv, Database]) -> None:
    folder = exported
    text = (folder / "manifest.json").read_text().replace("0005_add_schools", "0005_add_more")
    (folder / "manifest.json").write_text(text)
    done = target[0]("load", str(folder), check=False)
    assert (done.returncode, "with other migrations than" in done.stderr) == (1, True)
    assert "0005_add_more" in done.stderr


@pytest.mark.slow
def test_an_older_export_is_migrated_on(
    inv: Inv, database: Database, tmp_path: Path, target: tuple[Inv, Database]
) -> None:
    inv("reset", "--to", "0003")
    with connect(database, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO stages VALUES ('s', 'Básica', 1); INSERT INTO grades VALUES ('g', 's', 'Primero', 1);"
            "INSERT INTO legal_guardians (id, rut, first_name, last_name) VALUES ('l', '12345678-5', 'Zoraida', 'Llancafil');"
            "INSERT INTO students (id, rut, first_name, last_name, birth_date, grade_id, legal_guardian_id)"
            " VALUES ('x', '7654321-6', 'Nahuel', 'Llancafil', '2015-02-03', 'g', 'l')"
        )
    rules = (ROOT / "anonymise.yaml").read_text().replace("aws_collection_id: clear ", "aws_collection_id: keep ")
    (tmp_path / "rules.yaml").write_text(re.sub(r"  schools:\n    id: keep\n    name: keep\n", "", rules))
    inv("export", str(tmp_path / "out"), ANONYMISE_KEY=KEY, INVOKE_ANONYMISE_FILE=str(tmp_path / "rules.yaml"))
    done = target[0]("load", str(tmp_path / "out"))
    assert "at 0003_add_external_image_id, then 0004_leave_room_for_face_ids, 0005_add_schools" in done.stdout
    assert read_counts(target[1])["schools"] == 1
    assert "photos" not in done.stderr, "no row names one"
    assert "inv undo" not in done.stdout, "there was no database before"


@pytest.mark.slow
def test_the_last_line_of_a_load_makes_what_the_rows_lack(school: School, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    school.inv("export", str(folder), ANONYMISE_KEY=KEY)
    for drawn in ("24 portraits drawn, 0 were there", "0 portraits drawn, 24 were there"):
        done = school.inv("load", str(folder), "--confirm", school.database.name)
        assert "; `inv undo` brings the database before back" in done.stdout
        command = done.stderr.rstrip().rpartition(": `inv ")[2].strip("`").split()
        assert drawn in school.inv(*command).stdout
        school.inv("sync-faces", "--check")
        school.inv("undo")


@pytest.mark.slow
def test_the_last_line_of_a_load_of_people_makes_what_the_rows_lack(school: School, tmp_path: Path) -> None:
    name, source, folder = school.database.name, f"{school.name}-source", tmp_path / "out"
    school.inv("photos", "push", str(ROOT / "seed_data" / "photos"), INVOKE_TARGETS_LOCAL_BUCKET=source)
    school.inv("export", str(folder), "--plain", "--confirm-plain", name)
    done = school.inv("load", str(folder), "--confirm", name, "--confirm-plain", name)
    command = (
        done.stderr.rstrip()
        .rpartition(": `inv ")[2]
        .strip("`")
        .replace("TARGET", f"staging --confirm-bucket {school.name}")
    )
    linked = school.inv(
        *command.split(),
        INVOKE_TARGETS_STAGING_S3_ENDPOINT="local",
        INVOKE_TARGETS_STAGING_BUCKET=source,
        INVOKE_TARGETS_STAGING_BUCKET_REGION="us-east-1",
    )
    assert "24 photos" in linked.stdout
    school.inv("sync-faces", "--check")


@pytest.mark.slow
def test_a_source_is_only_read(source: Source) -> None:
    source.execute(f"ALTER DATABASE {source.database.name} SET default_transaction_read_only = on")
    source.export("out")
    source.export("grade", "--grade", "grade-1b")
