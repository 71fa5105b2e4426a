"""Remedies become commands that can be copied: pure functions."""

import inspect
import re

import pytest

from eduguard.checks import findings
from eduguard.report.drift import find_commands
from eduguard.report.pages import join_commands

TEXTS = sorted(set(re.findall(r'"([^"]*\binv [^"]*)"', inspect.getsource(findings))))


@pytest.mark.parametrize(
    ("remedy", "commands"),
    [
        ("inv sync-faces", ["inv sync-faces"]),
        ("inv photos pull FOLDER, then inv enrol --from FOLDER", ["inv photos pull FOLDER", "inv enrol --from FOLDER"]),
        ("inv unenrol STUDENT; or inv seed-full, where the fixtures have the student", ["inv unenrol STUDENT"]),
        ("`inv doctor --iam` prints the policy that each job needs.", ["inv doctor --iam"]),
        ("Set `region` of the target in invoke.yaml.", []),
        ("", []),
    ],
)
def test_a_remedy_is_cut_into_its_commands(remedy: str, commands: list[str]) -> None:
    assert list(find_commands(remedy)) == commands


@pytest.mark.parametrize("text", [text for text in TEXTS if not text.startswith("Say ")])
def test_every_remedy_of_the_doctor_has_commands_without_prose(text: str) -> None:
    for command in find_commands(text):
        assert re.fullmatch(r"inv [a-z-]+( [a-z]+| --[a-z-]+(=\S+)?| [A-Z]+| duplicates| temporary| orphans)*", command)


def test_a_line_for_the_shell_names_the_target_in_every_command() -> None:
    commands = ["inv reindex", "inv sync-faces"]
    assert (
        join_commands(commands, "staging")
        == "INVOKE_TARGET=staging inv reindex && INVOKE_TARGET=staging inv sync-faces"
    )
    assert join_commands(["inv migrate"], "a b") == "INVOKE_TARGET='a b' inv migrate"
