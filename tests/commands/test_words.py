"""Commands of two words and positional words become what Invoke parses; an incomplete command is refused with its form."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.loader import FilesystemLoader
from invoke.main import program
from invoke.tasks import Task, task

from eduguard.commands.words import Command, arrange, tasks_of
from eduguard.errors import EduguardError


@task
def sync(c: Context, collection: str = "", dry_run: bool = False) -> None:
    """Sync."""


@task(klass=Command, words="[STUDENT PHOTO…]", iterable=["photo"])
def enrol(
    c: Context, student: str = "", photo: Sequence[str] | None = None, from_: str = "", yes: bool = False
) -> None:
    """Enrol."""


@task(name="check")
def photos_check(c: Context, json: bool = False) -> None:
    """Check."""


@task(name="pull", klass=Command, words="FOLDER")
def photos_pull(c: Context, folder: str, hidden: bool = False) -> None:
    """Pull."""


@task(name="take", klass=Command, words="CLASS PHOTO…", iterable=["photo"])
def attendance_take(c: Context, class_: str, photo: Sequence[str], at: str = "") -> None:
    """Take."""


TASKS = tasks_of(
    Collection(sync, enrol, Collection("photos", photos_check, photos_pull), Collection("attendance", attendance_take))
)


def arranged(line: str) -> str:
    return " ".join(arrange(line.split(), TASKS, program.initial_context))


@pytest.mark.parametrize(
    ("typed", "parsed"),
    [
        ("", ""),
        ("sync --collection photos --dry-run", "sync --collection photos --dry-run"),
        ("enrol", "enrol"),
        ("enrol --from photos", "enrol --from photos"),
        ("enrol --from=photos sync", "enrol --from=photos sync"),
        ("enrol s-1 a.jpg b.jpg", "enrol --student s-1 --photo a.jpg --photo b.jpg"),
        ("enrol --yes s-1 --echo a.jpg", "enrol --yes --student s-1 --echo --photo a.jpg"),
        ("enrol s-1 ./-a.jpg", "enrol --student s-1 --photo ./-a.jpg"),
        ("enrol s-1 a.jpg sync", "enrol --student s-1 --photo a.jpg sync"),
        ("enrol sync", "enrol sync"),
        ("enrol --hide both s-1 a.jpg", "enrol --hide both --student s-1 --photo a.jpg"),
        ("photos check --json", "photos.check --json"),
        ("photos.check --json", "photos.check --json"),
        ("photos.pull photos photos.check", "photos.pull --folder photos photos.check"),
        ("photos.pull photos.check", "photos.pull --folder photos.check"),
        ("photos.pull -h", "photos.pull --help"),
        ("enrol s-1 a.jpg photos.check", "enrol --student s-1 --photo a.jpg photos.check"),
        ("photos pull photos photos check", "photos.pull --folder photos photos.check"),
        ("attendance take sync a.jpg --at noon b.jpg", "attendance.take --class sync --photo a.jpg --at noon --photo b.jpg"),
        ("enrol s-1 --help", "enrol --help"),
        ("attendance take -h", "attendance.take --help"),
        ("photos pull -h here", "photos.pull --help"),
    ],
)  # fmt: skip
def test_words_become_flags(typed: str, parsed: str) -> None:
    assert arranged(typed) == parsed


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def suite() -> dict[str, Task]:
    return tasks_of(Collection.from_module(FilesystemLoader(start=str(ROOT)).load("tasks")[0]))


def test_no_command_has_a_short_flag(suite: dict[str, Task]) -> None:
    short = [
        (name, flag)
        for name, each in suite.items()
        for argument in each.get_arguments(ignore_unknown_help=True)
        for flag in argument.names
        if len(flag) == 1
    ]
    assert short == []
    assert all(
        arrange([*name.split(), "-h"], suite, program.initial_context) == [name.replace(" ", "."), "--help"]
        for name in suite
    )
    assert len(suite) > 20


def test_a_name_of_two_words_is_one_name() -> None:
    assert arrange(["photos", "check", "--json"], TASKS, program.initial_context) == ["photos.check", "--json"]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("photos", "inv photos is not the whole of a command\n  There are: `inv photos check`, `inv photos pull`"),
        ("snyc", "inv snyc: there is no such command\n  Did you mean `inv sync`? `inv help` lists the commands."),
        ("sync unknown", "inv unknown: there is no such command\n  `inv help` lists the commands."),
        ("photos-pull a", "inv photos-pull: there is no such command\n  Did you mean `inv photos pull`?"),
        ("photos chekc", "inv photos chekc: there is no such command\n  Did you mean `inv photos check`? There are:"),
        ("photos.chekc", "inv photos chekc: there is no such command\n  Did you mean `inv photos check`? There are:"),
        ("photos.", "inv photos.: there is no such command\n"),
        ("sync.check", "inv sync.check: there is no such command\n"),
        ("photos sync", "inv photos sync: there is no such command\n  There are: `inv photos check`, `inv photos pull`"),
        ("photos --help", "inv photos --help: there is no such command\n"),
        ("enrol s-1", "inv enrol: PHOTO is missing\n  inv enrol STUDENT PHOTO…"),
        ("enrol s-1 sync", "inv enrol: PHOTO is missing\n"),
        ("photos pull --echo", "inv photos pull: FOLDER is missing\n  inv photos pull FOLDER"),
        ("attendance take", "inv attendance take: CLASS is missing\n  inv attendance take CLASS PHOTO…"),
        ("enrol s-1 -a.jpg", "-a.jpg is not a flag of `inv enrol`\n  inv enrol STUDENT PHOTO…; `inv --help enrol` lists its flags; a file of this name is ./-a.jpg"),
        ("sync --dry-rum", "--dry-rum is not a flag of `inv sync`\n  Did you mean --dry-run? inv sync; `inv --help sync` lists its flags"),
        ("sync --collection", "--collection needs a value\n  `inv --help sync` lists its flags"),
        ("sync --collection --dry-run", "--collection needs a value\n"),
        ("sync -d", "-d is not a flag of `inv sync`\n"),
        ("sync -c photos", "-c is not a flag of `inv sync`\n"),
        ("enrol -y", "-y is not a flag of `inv enrol`\n"),
        ("enrol --student s-1", "--student is not a flag of `inv enrol`\n  inv enrol STUDENT PHOTO…; `inv --help enrol` lists its flags"),
    ],
)  # fmt: skip
def test_what_is_incomplete_or_unknown_is_named_by_its_form(typed: str, message: str) -> None:
    with pytest.raises(EduguardError) as raised:
        arranged(typed)
    assert str(raised.value).startswith(message)


TASKS_FILE = """
from invoke.collection import Collection
from invoke.tasks import task
from eduguard.commands.words import Command, accept_forms

from eduguard.commands.executor import SuiteExecutor

class Unasked(SuiteExecutor):
    # These commands are in no table of permissions.
    def permit(self, commands):
        return list(commands)

@task(name="pull", klass=Command, words="FOLDER…", iterable=["folder"], help={"folder": "where to"})
def photos_pull(c, folder, dry_run=False):
    "Pull photos."
    print(folder, dry_run)

@task(klass=Command, words="[NAME]", help={"from": "where from"})
def greet_all(c, name="nobody", from_="here"):
    "Greet."
    print(name, from_)

namespace = Collection(greet_all, Collection("photos", photos_pull))
accept_forms(namespace)
"""
SETTINGS = "tasks: {executor_class: tasks.Unasked}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(TASKS_FILE)
    (tmp_path / "invoke.yaml").write_text(SETTINGS)
    return tmp_path


def run(folder: Path, line: str) -> tuple[int, str, str]:
    inv = Path(sys.executable).parent / "inv"
    done = subprocess.run([inv, *line.split()], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("photos pull a b --dry-run greet-all", "['a', 'b'] True\nnobody here\n"),
        ("--echo greet-all me --from there photos pull c", "me there\n['c'] False\n"),
    ],
)
def test_invoke_runs_what_was_typed(folder: Path, line: str, printed: str) -> None:
    assert run(folder, line) == (0, printed, "")


def test_invoke_lists_names_as_it_writes_them(folder: Path) -> None:
    listed = run(folder, "--list")[1].splitlines()
    assert [line.strip() for line in listed if line.startswith("  ")] == [
        "greet-all     Greet.",
        "photos.pull   Pull photos.",
    ]


@pytest.mark.parametrize(
    "line", ["--help photos pull", "photos pull --help", "photos pull -h", "photos pull a b --help"]
)
def test_help_shows_the_form_and_its_words(folder: Path, line: str) -> None:
    status, printed, _ = run(folder, line)
    assert status == 0
    assert "photos pull FOLDER… [--options]" in printed.splitlines()[0]
    assert "Words:\n  FOLDER   where to\n\nOptions:\n  --dry-run\n" in printed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("photos", "error: inv photos is not the whole of a command\n  There are: `inv photos pull`\n"),
        ("--help photos", "error: inv photos is not the whole of a command\n  There are: `inv photos pull`\n"),
        ("photos pull", "error: inv photos pull: FOLDER is missing\n  inv photos pull FOLDER…\n"),
        ("--help nothing", "error: inv nothing: there is no such command\n  `inv help` lists the commands.\n"),
    ],
)
def test_a_refusal_is_one_message_and_exit_status_1(folder: Path, line: str, message: str) -> None:
    assert run(folder, line) == (1, "", message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rollback", "--count", "two"], "--count two is not a whole number\n  inv rollback"),
        (["rollback", "--count=1.5"], "--count 1.5 is not a whole number"),
        (["seed", "--wait", "long"], "--wait long is not a number"),
    ],
)
def test_a_flag_that_needs_a_number_is_refused_with_another_word(words: list[str], message: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "inv", *words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.startswith(f"error: {message}")) == (1, True), done.stderr
