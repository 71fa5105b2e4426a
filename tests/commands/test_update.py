"""Servers, marks and databases beside the live one that version 1749bac has left still work after the update."""

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from eduguard.postgres import Database, connect, embedded, read_value

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
EARLIER = "1749bac"
ROWS = (
    "SELECT md5(string_agg(f::text, ',' ORDER BY id)) FROM (SELECT id, student_id, face_id FROM student_faces) f"
    " WHERE student_id LIKE 'student-0%'"
)
BESIDE = "SELECT array_agg(datname::text ORDER BY 1) FROM pg_database WHERE datname LIKE 'eduguard%'"


@pytest.fixture(scope="module")
def earlier() -> Iterator[Path]:
    """The code of the earlier version, from the history of this checkout."""
    archived = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if archived.returncode:
        pytest.skip(f"this checkout has no history back to {EARLIER}: git fetch --unshallow")
    with tempfile.TemporaryDirectory(prefix="eduguard-earlier-") as folder:
        Path(folder).chmod(0o711)
        with tarfile.open(fileobj=BytesIO(archived.stdout)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


@pytest.fixture
def state(new_state_folder: Callable[[], AbstractContextManager[Path]]) -> Iterator[Path]:
    with new_state_folder() as folder:
        yield folder


@pytest.fixture
def inv(state: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of one version on the state folder that both use, without a terminal to type a name."""

    def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"INVOKE_STATE_FOLDER": str(state), "PYTHONPATH": str(checkout / "lib")}
        done = subprocess.run(
            [INV, *arguments], cwd=checkout, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
        return done

    return run


def ask(state: Path, name: str, query: Any) -> Any:
    with connect(Database.from_url(embedded.ensure_running(state / "postgres")).named(name), purpose="tests") as conn:
        return read_value(conn, query)


@pytest.mark.slow
def test_a_state_folder_of_an_earlier_version_works_without_typing_a_name(
    earlier: Path, state: Path, inv: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    for command in ("full", "full", "full"):  # a live database, one before it, one discarded, templates, a spare
        inv(earlier, command)
    before = ask(state, "eduguard", ROWS)
    inv(ROOT, "migrate")
    assert "18 faces" in inv(ROOT, "doctor").stdout
    inv(ROOT, "reset")
    assert not any("spare" in name for name in ask(state, "postgres", BESIDE))
    inv(ROOT, "undo")
    assert ask(state, "eduguard", ROWS) == before, "the database of the earlier version did not come back"
    full = inv(ROOT, "full")
    assert "0 placeholders" in full.stdout
    assert "enrol      6 photos: 6 uploaded, 6 faces indexed" in full.stdout, "not only those of the second school"
    assert ask(state, "eduguard", ROWS) == before
