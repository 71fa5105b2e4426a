"""The transcripts in README and docs are what the commands print, except dates, times and ids."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
CHANGING = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d": "DATE",
    r"\d+\.\d ms": "MS",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "ID",
    r"lowest similarity [\d.]+": "lowest similarity S",
}
PROGRESS = re.compile(r"\w+: [\d,]+ of [\d,]+ ")  # progress of a step that is slow on this machine


def plain(text: str) -> list[str]:
    for pattern, name in CHANGING.items():
        text = re.sub(pattern, name, text)
    return [line for line in text.splitlines() if not PROGRESS.match(line)]


def shown(page: str, command: str) -> list[str]:
    """Return what a page shows below a command."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"^\$ {re.escape(command)}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"{page} does not show {command}"
    return plain(found[1])


@pytest.fixture(scope="module")
def run(new_state_folder: Callable[[], AbstractContextManager[Path]]) -> Iterator[Callable[..., list[str]]]:
    """Run commands one after the other as a new user does, on empty servers."""
    with new_state_folder() as folder:
        environment = os.environ | {"INVOKE_STATE_FOLDER": str(folder)}

        def inv(*arguments: str, status: int = 0) -> list[str]:
            done = subprocess.run(
                [INV, *arguments], cwd=ROOT, env=environment, text=True, check=False,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert done.returncode == status, done.stdout
            return plain(done.stdout)

        yield inv


@pytest.mark.slow
def test_the_first_commands_print_what_the_pages_show(run: Callable[..., list[str]]) -> None:
    assert run("full") == shown("README.md", "make full")
    run("reset", "seed")
    assert run("doctor", status=2) == shown("README.md", "inv doctor")
    *links, last = run("sync-faces", "--collection", "eduguard-school-default")
    *examples, summary = shown("docs/sync.md", "inv sync-faces --collection eduguard-school-default")
    assert examples[0] in links
    assert re.sub(r"\d+", "N", last) == re.sub(r"\d+", "N", summary)
