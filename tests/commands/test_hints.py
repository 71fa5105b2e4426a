"""Messages and the examples in the help name only commands and flags that exist."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.loader import FilesystemLoader
from invoke.main import program
from invoke.parser import Parser
from invoke.tasks import Task

from eduguard import migrations
from eduguard.aws import CollectionState, Face
from eduguard.checks import findings
from eduguard.checks.evidence import DatabaseFacts
from eduguard.commands import mending
from eduguard.commands.help import example_of
from eduguard.commands.words import arrange, tasks_of
from eduguard.errors import EduguardError
from eduguard.sync import FaceRow, pair_up, plan_sync

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
FILLED = "FILLED"  # a part of a message that is known only at run time


@pytest.fixture(scope="module")
def suite() -> Collection:
    return Collection.from_module(FilesystemLoader(start=str(ROOT)).load("tasks")[0])


@pytest.fixture(scope="module")
def tasks(suite: Collection) -> dict[str, Task]:
    return tasks_of(suite)


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield the strings of a module that it may print: all but its docstrings."""
    nodes = list(ast.walk(tree))
    statements = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if id(node) in statements:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values)


def hints() -> list[str]:
    found = set()
    for file in (ROOT / "lib" / "eduguard").rglob("*.py"):
        for text in texts(ast.parse(file.read_text())):
            listed = re.findall(r"(?:^|[,;] (?:then |or )?)(inv [^,;]+)", text)  # such as the remedies of doctor
            found |= {*re.findall(r"`(inv [^`]+)`", text), *(each for each in listed if text.startswith("inv "))}
    general = (FILLED, "COMMAND", "help", "completion", "--help", "{}")
    return sorted(hint for hint in found if hint.split()[1:] and hint.split()[1].strip(":") not in general)


def check(line: str, suite: Collection, tasks: dict[str, Task]) -> None:
    words = line.split()[1:]
    if " ".join(words) in tasks:  # a message may name a command without its words
        return
    parser = Parser(contexts=suite.to_contexts(), initial=program.initial_context)
    parser.parse_argv(arrange(words, tasks, program.initial_context))


@pytest.mark.parametrize("hint", hints())
def test_a_hint_is_a_command(hint: str, suite: Collection, tasks: dict[str, Task]) -> None:
    check(hint, suite, tasks)


def test_the_commands_that_the_doctor_runs_are_commands(suite: Collection, tasks: dict[str, Task]) -> None:
    rows = [FaceRow("s-photo-1", "placeholder"), FaceRow("s-photo-2", "old"), FaceRow("s-photo-3", "gone")]
    listed = [("s-photo-1", "a"), ("s-photo-2", "b"), ("s-photo-2", "c"), ("temp_attendance_1", "d")]
    faces = [Face(face_id=face_id, external_image_id=name, confidence=99) for name, face_id in listed]
    states = {state: ["s-photo-1"] for state in ("row", "photo", "face", "row + photo", "row + face", "photo + face")}
    facts = ({"exists": False}, {"exists": True, "pending": ("0001_x",)}, {"exists": True})
    found = [
        *(findings.judge_database(DatabaseFacts(name="db", server="here", **each)) for each in facts),
        findings.judge_collection(CollectionState(face_count=0, arn="arn"), []),
        *findings.judge_plan(plan_sync(pair_up(rows, faces))),
        *findings.judge_places(states, {"s"}),
    ]
    named = {str(command) for each in found for command in each.commands}
    assert len(named) > 8
    for line in named:
        check(line, suite, tasks)
    assert {line.split()[1] for line in named} == set(mending._ORDER)


def test_hints_are_found_and_a_wrong_one_fails(suite: Collection, tasks: dict[str, Task]) -> None:
    assert len(hints()) > 20
    for wrong in (
        "inv sync",
        "inv sync-faces --prunes orphans",
        "inv enrol student-001",
        "inv migration new --name x",
    ):
        with pytest.raises((EduguardError, ParseError)):
            check(wrong, suite, tasks)


def test_every_command_has_an_example_of_itself(suite: Collection, tasks: dict[str, Task]) -> None:
    for name, each in tasks.items():
        example = example_of(name, each)
        assert example, name
        assert example.startswith(f"inv {name}")
        check(example, suite, tasks)


def test_the_name_that_a_refused_migration_suggests_is_taken(tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    with pytest.raises(EduguardError) as refused:
        migrations.create(folder, "Add It")
    name = re.findall(r"`inv migration new (.+)`", str(refused.value))[0]
    assert migrations.create(folder, name)[0].name.endswith("_add_absence_reasons.sql")


@pytest.mark.parametrize("line", ["", "help"])
def test_the_commands_are_shown_in_groups(line: str, tasks: dict[str, Task]) -> None:
    shown = subprocess.run([INV, *line.split()], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (
        shown.index("Recipes") < shown.index("  full ") < shown.index("Attendance") < shown.index("  attendance take")
    )
    assert [name for name in tasks if f"\n  {name} " not in shown] == []


def test_help_shows_the_example() -> None:
    for words in (["help", "photos", "pull"], ["photos", "pull", "-h"]):
        shown = subprocess.run([INV, *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert "Example:\n  inv photos pull photos\n" in shown


def test_help_and_names_need_neither_the_database_nor_aws() -> None:
    script = (
        "import sys; from invoke.main import program; program.run(['inv', 'help'], exit=False);"
        "sys.exit(bool({'psycopg', 'boto3', 'rich'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)
