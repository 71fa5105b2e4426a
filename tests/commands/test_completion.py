"""Completion in a real bash: what is offered after the words of a line."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
SCRIPT = """eval "$("$1" completion bash)"
compopt() { :; }
inv=$1; shift
COMP_WORDS=("$inv" "$@"); COMP_CWORD=$#
_eduguard "$inv"; printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(*words: str) -> list[str]:
    command = ["bash", "-c", SCRIPT, "bash", str(INV), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["sta"], ["status"]),
        (["photos", "pu"], ["pull", "push"]),
        (["photos", "check", "--"], ["--help", "--json"]),
        (["status", "re"], ["rebuild", "reindex", "reset"]),
        (["photos", "pull", "seed_"], ["seed_data"]),
        (["enrol", "student-001", "READ"], ["README.md"]),
        (["enrol", "a b", "READ"], ["README.md"]),
        (["enrol", "--from", "seed_"], ["seed_data"]),
        (["sync-faces", "--student", ""], []),
        (["nothing", ""], []),
        (["status", "--nothing", ""], []),
    ],
)
def test_bash_offers_what_is_taken(words: list[str], answer: list[str]) -> None:
    assert offered(*words) == answer
