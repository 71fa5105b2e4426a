"""Flags reach the steps of a composite, each command runs as if it were alone, and a failure is one message."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.program import Program

Run = Callable[..., tuple[int, list[str], str]]

TASKS = """
from contextlib import contextmanager
from invoke.exceptions import Exit
from invoke.tasks import call, task
from eduguard.errors import EduguardError
from eduguard.commands.executor import SuiteExecutor, keep_open, plain_settings
from eduguard.terminal import print_step, record

class Unasked(SuiteExecutor):
    # These commands are in no table of permissions.

    def permit(self, commands):
        return list(commands)

@contextmanager
def held():
    print("taken")
    try:
        yield
    finally:
        print("released")

@task
def migrate(c, next=False):
    print(f"migrate next={next}")

@task
def sync(c, collection="", dry_run=False, next=False):
    print(f"sync {collection} dry_run={dry_run} next={next}")

@task(pre=[call(migrate, next=True), call(sync, next=True)], post=[migrate])
def full(c, collection="", yes=False):
    print(f"full {collection} yes={yes}")

@task(pre=[call(migrate, next=True), call(migrate, next=True)])
def twice(c):
    print("twice")

@task
def hold(c):
    keep_open(held())

@task(pre=[hold, migrate], post=[sync])
def locked(c):
    print("locked")

@task
def fail(c):
    raise EduguardError("it broke", hint="mend it")

@task
def drift(c):
    raise Exit(code=2)

@task
def interrupt(c, json=False):
    raise KeyboardInterrupt

@task
def look(c, json=False, fails=""):
    record({"rows": 3})
    print_step("look", "3 rows")
    if fails == "error":
        raise EduguardError("it broke", hint="mend it", place="students")
    if fails == "left":
        raise EduguardError("1 row is left", status=2)
    if fails == "drift":
        raise Exit(code=2)
    if fails == "bug":
        raise ZeroDivisionError

@task
def idle(c, json=False):
    pass

@task(pre=[look, idle])
def recipe(c, json=False, fails=""):
    record({"students": 8})

@task
def show(c):
    print(sorted(plain_settings(c).items()))
"""
SETTINGS = """
tasks: {executor_class: tasks.Unasked}
target: local
limit: 3
targets: {local: {bucket: b}}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "invoke.yaml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def invoke(*arguments: str) -> tuple[int, list[str], str]:
        status = 0
        monkeypatch.delitem(sys.modules, "tasks", raising=False)
        try:
            Program().run(["inv", *arguments])
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err

    return invoke


def test_a_flag_of_the_composite_reaches_the_steps_that_take_it(run: Run) -> None:
    status, lines, _ = run("full", "--collection", "X", "--yes")
    assert status == 0
    assert lines == ["migrate next=True", "sync X dry_run=False next=True", "full X yes=True", "migrate next=False"]


def test_a_step_that_one_command_names_twice_with_the_same_flags_runs_once(run: Run) -> None:
    assert run("twice")[1] == ["migrate next=True", "twice"]


def test_each_command_runs_its_own_steps_whatever_ran_before_it(run: Run) -> None:
    alone = run("full")[1]
    assert run("migrate", "--next", "full", "twice", "full")[1] == [
        "migrate next=True", *alone, *run("twice")[1], *alone,
    ]  # fmt: skip


def test_a_resource_kept_open_lasts_until_the_last_step_of_its_command_has_ended(run: Run) -> None:
    steps = ["taken", "migrate next=False", "locked", "sync  dry_run=False next=False", "released"]
    assert run("locked")[1] == steps
    assert run("locked", "migrate", "locked")[1] == [*steps, "migrate next=False", *steps]


def test_a_failure_is_its_message_and_releases_what_was_held(run: Run) -> None:
    assert run("hold", "fail", "migrate") == (1, ["taken", "released"], "error: it broke\n  mend it\n")


def test_the_exit_status_of_a_command_stops_the_line(run: Run) -> None:
    assert run("drift", "migrate") == (2, [], "")


def test_an_interruption_ends_with_its_own_exit_status(run: Run) -> None:
    status, lines, message = run("hold", "interrupt", "migrate")
    assert (status, lines) == (130, ["taken", "released"])
    assert message.startswith("Interrupted. ")
    assert message.endswith("Run the command again: it does what is left.\n")


def test_only_the_suites_own_settings_are_handed_on(run: Run) -> None:
    assert run("show")[1] == ["[('limit', 3), ('target', 'local'), ('targets', {'local': {'bucket': 'b'}})]"]


@pytest.mark.parametrize(
    ("flag", "message"),
    [(("--collection", "X"), "--collection X is given to a task"), (("--dry",), "--dry is Invoke's own")],
)
def test_a_flag_that_invoke_would_swallow_is_refused(run: Run, flag: tuple[str, ...], message: str) -> None:
    status, lines, error = run("migrate", *flag)
    assert (status, lines) == (1, [])
    assert message in error


def test_a_collection_of_invokes_own_may_be_named(run: Run) -> None:
    assert run("--collection", "tasks", "migrate")[:2] == (0, ["migrate next=False"])


def test_an_environment_variable_that_does_not_fit_is_one_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_RUN_WATCHERS", "many")
    status, lines, error = run("show")
    assert (status, lines) == (1, [])
    assert "environment variable does not fit its setting" in error


BROKE = {"code": "commands", "message": "it broke", "hint": "mend it", "place": "students"}
LEFT = {"code": "left", "message": "1 row is left", "hint": None, "place": None}


@pytest.mark.parametrize(
    ("words", "status", "answer"),
    [
        ("look --json", 0, {"rows": 3}),
        ("look --json --fails error", 1, {"rows": 3, "error": BROKE}),
        ("look --json --fails left", 2, {"rows": 3, "error": LEFT}),
        ("look --json --fails drift", 2, {"rows": 3}),
        ("idle --json", 0, {}),
        ("recipe --json", 0, {"students": 8, "steps": [{"step": "look", "rows": 3}]}),
        ("recipe --json --fails error", 1, {"steps": [{"step": "look", "rows": 3}], "error": BROKE}),
    ],
)
def test_a_command_prints_one_object_whatever_becomes_of_it(
    run: Run, words: str, status: int, answer: dict[str, object]
) -> None:
    ended, lines, error = run(*words.split())
    assert (ended, json.loads("\n".join(lines))) == (status, answer)
    assert ("error: " in error) == ("error" in answer)


def test_an_interruption_is_an_object(run: Run) -> None:
    status, lines, _ = run("interrupt", "--json")
    assert (status, json.loads("\n".join(lines))["error"]["code"]) == (130, "interrupted")


def test_a_bug_prints_no_object(run: Run) -> None:
    with pytest.raises(ZeroDivisionError):
        run("look", "--json", "--fails", "bug")


def test_only_the_command_that_is_asked_for_json_prints_it(run: Run) -> None:
    status, lines, _ = run("look", "look", "--json", "look")
    assert status == 0
    assert (lines[0], lines[-1]) == ("look       3 rows", "look       3 rows")
    assert json.loads("\n".join(lines[1:-1])) == {"rows": 3}
