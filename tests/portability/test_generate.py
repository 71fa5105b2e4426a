"""Invented schools: the same arguments give the same bytes, more students never change a row, and nobody is real."""

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eduguard.errors import EduguardError
from eduguard.portability import World, generate
from eduguard.portability.generation.people import FIRST_RUT, LAST_RUT, MOST_SCHOOLS, MOST_STUDENTS, check_digit, rut
from eduguard.portability.generation.school_year import school_days
from eduguard.portability.generation.tables import write_tables
from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
Inv = Callable[..., subprocess.CompletedProcess[str]]
Tables = dict[str, dict[str, dict[str, str]]]


def make(students: int, schools: int, seed: str = "1") -> Tables:
    """The rows of a world by table and id."""
    world = World(seed=seed, students=students, schools=schools)
    world.check()
    tables = {}
    for table, header, parts in write_tables(world.make(), school_days(), photos=True):
        rows = list(csv.DictReader([header + "\n", *"".join(parts).splitlines(keepends=True)]))
        tables[table] = {row["id"]: row for row in rows}
        assert len(tables[table]) == len(rows), f"{table}: an id is there twice"
    return tables


def write(folder: Path, students: int = 40, schools: int = 2, seed: str = "1") -> bool:
    world = World(seed=seed, students=students, schools=schools)
    return generate(folder, world, begin=lambda *_: lambda: None, note=print).is_new


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def town() -> Tables:
    return make(400, 2)


@pytest.mark.slow
def test_the_same_arguments_write_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
        words = [INV, "generate", str(tmp_path / hash_seed), "--students", "60", "--schools", "2", "--seed", "ñ"]
        subprocess.run(words, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert write(tmp_path / "3", 60, 2, "other")
    assert contents(tmp_path / "3")["09_students.csv"] != contents(tmp_path / "1")["09_students.csv"]


def test_the_bytes_are_those_of_every_other_machine(tmp_path: Path) -> None:
    """The digest changes only if the generated data is changed on purpose."""
    write(tmp_path / "made", 40, 2)
    digest = sha256("".join(json.loads((tmp_path / "made" / "generated.json").read_text())["files"].values()).encode())
    assert digest.hexdigest() == "a30b688fb092a28873385fdbe9fb54187346e84b27e93493b0b862450a4dee47"


counts = st.integers(1, 4).flatmap(lambda schools: st.tuples(st.integers(schools, 60), st.just(schools)))


@pytest.mark.slow
@settings(max_examples=10)
@given(counts, counts)
@example((20, 1), (90, 1))
@example((60, 2), (60, 4))
def test_a_row_is_the_same_in_every_world_of_the_seed(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = make(*one), make(*other)
    for table, rows in first.items():
        for name in rows.keys() & second[table].keys():
            assert rows[name] == second[table][name]
    assert first["schools"].keys() <= second["schools"].keys() or one[1] > other[1]


@pytest.mark.slow
@settings(max_examples=10)
@given(counts, st.integers(0, 60))
def test_more_students_only_add_rows(small: tuple[int, int], more: int) -> None:
    students, schools = small
    first, second = make(students, schools), make(students + more, schools)
    assert all(rows.items() <= second[table].items() for table, rows in first.items())
    assert len(second["students"]) == students + more


@pytest.mark.slow
def test_every_table_is_loaded_with_all_constraints_valid(
    inv: Inv, database: Database, cloud_endpoint: str, tmp_path: Path
) -> None:
    assert cloud_endpoint
    name, folder = f"made-{uuid4().hex[:12]}", tmp_path / "made"
    inv("generate", str(folder), "--students", "90", "--schools", "2")
    done = inv(
        "full",
        INVOKE_SEED_FOLDER=str(folder),
        INVOKE_TARGETS_LOCAL_COLLECTION=name,
        INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002=f"{name}-2",
        INVOKE_TARGETS_LOCAL_BUCKET=name,
    )
    assert "is ready: 90 students, 0 faces, 0 placeholders" in done.stdout
    with connect(database, purpose="tests") as conn:
        for file in folder.glob("*.csv"):
            rows = len(list(csv.DictReader(file.read_text().splitlines())))
            assert conn.execute(f"SELECT count(*) FROM {file.stem[3:]}".encode()).fetchone() == (rows,), file
        unsure = conn.execute("SELECT conname FROM pg_constraint WHERE NOT convalidated").fetchall()
        days = conn.execute("SELECT DISTINCT (starts_at AT TIME ZONE 'America/Santiago')::time::text FROM sessions")
        assert (unsure, days.fetchall()) == ([], [("08:30:00",)])
        strangers = conn.execute(
            "SELECT count(*) FROM attendance a JOIN sessions s ON s.id = a.session_id WHERE s.status <> 'held' OR NOT EXISTS"
            " (SELECT FROM class_enrollments e WHERE e.class_id = s.class_id AND e.student_id = a.student_id"
            " AND e.enrolled_on <= s.starts_at::date)"
        )
        assert strangers.fetchone() == (0,), "who is not enrolled has no attendance"


@pytest.mark.slow
def test_photos_are_enrolled_and_each_is_recognised_as_its_student(
    inv: Inv, cloud_endpoint: str, tmp_path: Path
) -> None:
    assert cloud_endpoint
    name, folder = f"made-{uuid4().hex[:12]}", tmp_path / "made"
    said = inv("generate", str(folder), "--students", "8", "--schools", "2", "--photos").stderr
    assert "photos: 8 faces to draw, about " in said
    record = json.loads((folder / "generated.json").read_text())
    assert "photos/students/student-002-00004/photo-1.jpg" in record["files"]
    done = inv(
        "full",
        INVOKE_SEED_FOLDER=str(folder),
        INVOKE_TARGETS_LOCAL_COLLECTION=name,
        INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002=f"{name}-2",
        INVOKE_TARGETS_LOCAL_BUCKET=name,
    )
    assert "8 photos: 8 uploaded, 8 faces indexed" in done.stdout
    assert "8 of 8 photos recognised" in done.stdout
    assert "the same as before" in inv("generate", str(folder), "--students=8", "--schools=2", "--photos").stdout


def test_the_page_shows_what_the_command_prints(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "portability.md").read_text()
    shown = re.search(r"^\$ inv (generate made_up .*)\n(generate .*)$", page, flags=re.MULTILINE)
    assert shown
    words = [INV, *shown[1].replace("made_up", str(tmp_path / "made_up")).split()]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.replace(f"{tmp_path}/", "") == f"{shown[2]}\n"


def test_schools_without_a_collection_are_named_with_the_setting(tmp_path: Path) -> None:
    words = [INV, "generate", str(tmp_path / "a"), "--students", "9", "--schools", "4"]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "targets.local.collections: school-003: eduguard-school-default-003, school-004: " in done.stderr


def test_siblings_share_guardian_and_surnames_and_are_not_born_within_months(town: Tables) -> None:
    families = defaultdict(list)
    for row in town["students"].values():
        families[row["legal_guardian_id"]].append(row)
    assert families.keys() == town["legal_guardians"].keys()
    siblings = [family for family in families.values() if len(family) > 1]
    assert 0.2 < sum(map(len, siblings)) / 400 < 0.6
    for family in siblings:
        births = sorted(date.fromisoformat(row["birth_date"]) for row in family)
        gaps = [(later - earlier).days for earlier, later in pairwise(births)]
        assert all(gap == 0 or gap >= 300 for gap in gaps)
        assert len({(row["last_name"], row["school_id"]) for row in family}) == 1


def test_sections_and_attendance_are_like_those_of_a_school(town: Tables) -> None:
    sizes = Counter(row["grade_section_id"] for row in town["students"].values())
    *full, _, _ = sorted(sizes.values(), reverse=True)  # the last section of each school is not full
    assert all(22 <= size <= 38 for size in full)
    grades = {row["grade_id"] for row in town["students"].values()}
    assert len(grades) >= 5
    weekdays = {date.fromisoformat(row["starts_at"][:10]).weekday() for row in town["sessions"].values()}
    assert weekdays == {0, 1, 2, 3, 4}
    statuses = Counter(row["status"] for row in town["attendance"].values())
    absent = (statuses["absent"] + statuses["excused"]) / statuses.total()
    assert 0.04 < absent < 0.12
    assert 150 < len(town["attendance"]) / 400 < 180


def test_check_digits_are_right_and_nobody_has_a_rut_of_the_living(town: Tables) -> None:
    assert [check_digit(body) for body in (12345678, 9812345, 13456789, 1000005)] == ["5", "8", "9", "K"]
    ruts = [row["rut"] for table in ("students", "legal_guardians", "teachers") for row in town[table].values()]
    assert len(set(ruts)) == len(ruts) > 400
    for each in ruts:
        body, digit = each.split("-")
        assert FIRST_RUT <= int(body) <= LAST_RUT
        total = sum(int(d) * w for d, w in zip(reversed(body), (2, 3, 4, 5, 6, 7, 2, 3), strict=True))
        assert digit == {10: "K", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


people = st.tuples(
    st.sampled_from(["student", "guardian", "teacher"]),
    st.integers(0, MOST_SCHOOLS - 1),
    st.integers(0, 2_999),
)


@given(people, people, st.text(max_size=3))
@example(("guardian", 0, 0), ("student", 0, MOST_STUDENTS - 1), "1")
def test_two_people_never_have_one_rut(one: tuple[str, int, int], other: tuple[str, int, int], seed: str) -> None:
    assert (rut(seed, *one) == rut(seed, *other)) == (one == other)


def test_no_address_and_no_phone_reaches_anybody(town: Tables) -> None:
    text = json.dumps(town)
    assert set(re.findall(r"@[a-z.-]+", text)) == {"@example.invalid"}
    assert all(row["phone"].startswith("+560") for row in town["legal_guardians"].values())


def test_a_folder_of_ours_is_replaced_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    assert write(folder), "an empty folder is taken"
    before = {path: path.stat().st_ino for path in folder.iterdir()}
    assert not write(folder)
    assert {path: path.stat().st_ino for path in folder.iterdir()} == before
    assert write(folder, 50)
    assert len((folder / "09_students.csv").read_text().splitlines()) == 51
    assert list(tmp_path.iterdir()) == [folder]


def spoil(folder: Path, how: str) -> None:
    if how == "strange":
        (folder / "notes.txt").write_text("mine")
    elif how == "changed":
        (folder / "00_schools.csv").write_text("id,name\n")
    elif how == "unrecorded":
        (folder / "generated.json").write_text("{}")
    elif how == "file":
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_text("mine")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("strange", "holds notes.txt"),
        ("changed", "somebody has changed 00_schools.csv"),
        ("unrecorded", "holds 00_schools.csv, 01_stages.csv"),
        ("file", "is not a folder"),
    ],
)
def test_a_folder_that_holds_anything_else_is_refused_and_left_alone(tmp_path: Path, how: str, said: str) -> None:
    folder = tmp_path / "made"
    write(folder)
    spoil(folder, how)
    before = contents(tmp_path)
    with pytest.raises(EduguardError, match=said):
        write(folder, 50)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("students", "schools"), [(0, 1), (1, 2), (10, 0), (500, 401), (MOST_STUDENTS + 1, 1)], ids=str
)
def test_counts_that_cannot_be_are_refused_before_a_folder_is_made(tmp_path: Path, students: int, schools: int) -> None:
    with pytest.raises(EduguardError, match="it is from "):
        write(tmp_path / "made", students, schools)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_folder_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    write(folder)
    before = contents(tmp_path)

    def begin(*_: object) -> Callable[[], None]:
        def advance() -> None:
            raise KeyboardInterrupt

        return advance

    with pytest.raises(KeyboardInterrupt):
        generate(folder, World(seed="1", students=90, schools=1), begin=begin, note=print)
    assert contents(tmp_path) == before
