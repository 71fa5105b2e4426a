"""Colour, times and progress appear only on a terminal. Pipes, CI, NO_COLOR and TERM=dumb stay plain."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from eduguard.colours import emphasise, emphasise_failure
from eduguard.postgres import Database
from eduguard.progress import Step

ROOT = Path(__file__).parents[2]
INV = str(Path(sys.executable).parent / "inv")
TERMINAL = {"TERM": "xterm-256color", "NO_COLOR": "", "CI": ""}
CODE = re.compile(r"\033\[[\d;]*m")
BOLD, RED = "\033[1m", "\033[1;31m"


def on_terminal(*command: str, **environment: str) -> tuple[int, str]:
    """Run a command whose stdout and stderr are a terminal; return its status and what the terminal shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | TERMINAL | environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # Linux raises it when the last process that had the terminal open has ended
            pass
        os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


@pytest.fixture
def settings(full: Database, state_folder: Path, cloud_endpoint: str) -> dict[str, str]:
    return {
        "DATABASE_URL": full.shown_url,
        "INVOKE_STATE_FOLDER": str(state_folder),
        "INVOKE_TARGETS_LOCAL_COLLECTION": "tests",
        "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "tests-2",
        "INVOKE_TARGETS_LOCAL_BUCKET": "tests",
    }


def test_names_numbers_and_times_stand_out_on_a_terminal(settings: dict[str, str]) -> None:
    status, shown = on_terminal(INV, "migrate", "--plan", "reset", **settings)
    assert status == 0, shown
    assert f"{BOLD}plan      \033[0m 0000_initial_schema applied" in shown
    assert re.search(rf"^{re.escape(BOLD)}reset     .*{re.escape(BOLD)}0\033\[0m students", shown, re.MULTILINE)
    plain = CODE.sub("", shown)
    assert re.search(r"^rebuild    .*  \d+\.\d s$", plain, re.MULTILINE)


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}], ids=str)
def test_nothing_is_painted_where_it_is_not_wanted(settings: dict[str, str], variable: dict[str, str]) -> None:
    for command in (("migrate", "--plan"), ("status", "--jsn")):
        assert "\033" not in on_terminal(INV, *command, **settings | variable)[1]


@pytest.mark.slow
def test_a_build_server_gets_no_times(settings: dict[str, str]) -> None:
    assert not re.search(r"  \d+\.\d s$", on_terminal(INV, "reset", **settings, CI="true")[1], re.MULTILINE)


def test_what_is_piped_is_plain_though_the_errors_go_to_a_terminal(settings: dict[str, str]) -> None:
    shown = on_terminal("sh", "-c", f"{INV} migrate --plan > {os.devnull}; {INV} migrate --plan | cat", **settings)[1]
    lines = [line for line in shown.splitlines() if line.endswith("applied")]
    assert lines[0] == "plan       0000_initial_schema applied"
    assert "\033" not in "".join(lines)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("status", "--jsn"), "--jsn is not a flag of `inv status`"),
        (("-f", "nowhere.yaml", "status"), "There is no settings file 'nowhere.yaml'"),
        (("sync-faces", "--student", "nobody"), "There is no student nobody"),
    ],
)
def test_the_line_that_says_what_failed_stands_out(settings: dict[str, str], words: tuple[str, ...], line: str) -> None:
    status, shown = on_terminal(INV, *words, **settings)
    assert status == 1
    assert f"{RED}error:\033[0m {BOLD}{line}\033[0m\n" in shown


def test_a_table_has_bold_names(settings: dict[str, str]) -> None:
    assert f"{BOLD}target " in on_terminal(INV, "status", **settings)[1]


def test_the_groups_of_commands_are_bold() -> None:
    assert f"\n{BOLD}Recipes\033[0m\n  full" in on_terminal(INV, "help")[1]


def test_json_on_a_terminal_is_plain(settings: dict[str, str]) -> None:
    shown = on_terminal(INV, "migrate", "--plan", "--json", **settings)[1]
    assert "\033" not in shown[shown.index("{\n") :]


def test_a_step_that_lasts_is_announced_and_one_that_does_not_is_not() -> None:
    program = """
        import time
        from eduguard.terminal import print_step, start_clock
        start_clock("short")
        print_step("short", "done")
        start_clock("long")
        time.sleep(1.5)
        print_step("long", "done")
    """
    plain = CODE.sub("", on_terminal(sys.executable, "-c", dedent(program))[1])
    assert re.fullmatch(r"short      done\nlong \.\.\.\nlong       done  \d\.\d s\n", plain), plain


@pytest.mark.parametrize(("term", "shown"), [("xterm", r"verify .*3/9 photos, [\d.]+/s, \d+ s left"), ("dumb", "")])
def test_progress_shows_rate_and_end(term: str, shown: str) -> None:
    program = """
        import time
        from eduguard.progress import Progress
        with Progress() as progress:
            progress.begin("verify", 9, "photos").advance(3)
            time.sleep(1.5)
    """
    found = CODE.sub("", on_terminal(sys.executable, "-c", dedent(program), TERM=term, COLUMNS="100")[1])
    assert re.search(shown, found), found


def test_a_line_of_progress_names_rate_and_end() -> None:
    step = Step("verify", 9, "photos")
    assert re.fullmatch(r"verify: 0 of 9 photos, 0\.0/s", str(step))
    step.advance(9)
    assert re.fullmatch(r"verify: 9 of 9 photos, [\d,.]+/s, 0 s left", str(step))


@pytest.mark.parametrize(
    ("text", "painted"),
    [
        ("24 photos", "<24> photos"),
        ("1,234.5 MB of student-001-photo-1", "<1,234.5> MB of student-001-photo-1"),
        ("at 08:30 in eduguard_2, /a/3/b, v1.2.3, #4", "at 08:30 in eduguard_2, /a/3/b, v1.2.3, #4"),
        ("4 rows: `inv seed --count 2` adds 3", "<4> rows: `inv seed --count 2` adds <3>"),
    ],
)
def test_numbers_stand_out_and_names_do_not(text: str, painted: str) -> None:
    bold = re.sub(r"\033\[1m(.*?)\033\[0m", r"<\1>", emphasise(text))
    assert CODE.sub("", bold) == painted


@pytest.mark.parametrize("text", ["+ a-photo-1: 24", "ok     3 rows", "-", "error: x\n  `inv up`\nerror: y", "plain"])
def test_painting_changes_no_character(text: str) -> None:
    assert CODE.sub("", emphasise(text)) == text
    assert CODE.sub("", emphasise_failure(text)) == text
