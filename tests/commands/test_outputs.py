"""The output of a task is complete, or there is an error: pipes, full disks, closed streams, encodings."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
INV = Path(sys.executable).parent / "inv"
Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


@pytest.mark.sampled("-status --json-141", "1---list--13")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("status", 141),
        ("status --json", 141),
        ("reset", 141),
        ("sync-faces --verbose", 141),
        ("--list", -signal.SIGPIPE),  # which a shell reports as 141
        ("reset --help", -signal.SIGPIPE),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_reads_is_not_our_failure(
    full: Database, state_folder: Path, command: str, code: int, unbuffered: str
) -> None:
    own = {"DATABASE_URL": full.shown_url, "INVOKE_STATE_FOLDER": str(state_folder), "PYTHONUNBUFFERED": unbuffered}
    collection = {"INVOKE_TARGETS_LOCAL_COLLECTION": "tests", "INVOKE_TARGETS_LOCAL_BUCKET": "tests"}
    with subprocess.Popen(
        [INV, *command.split()],
        cwd=ROOT,
        env=os.environ | own | collection,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert (process.returncode, "Error" in errors) == (code, False), errors


@pytest.mark.sampled
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", ["status", "status --json", "reset"])
def test_output_that_a_full_disk_does_not_take_is_one_error(inv: Inv, full: Database, command: str, value: Any) -> None:
    with Path("/dev/full").open("w") as nowhere:
        done = inv(*command.split(), check=False, stdout=nowhere)
    assert done.returncode == 1
    assert "error: [Errno 28] No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert value(full, "SELECT count(*) FROM students") == 8, "a step that could not be told was followed by others"


@pytest.mark.sampled("<&- >&- 2>&-")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_not_a_failure(full: Database, state_folder: Path, closed: str, value: Any) -> None:
    own = {"DATABASE_URL": full.shown_url, "INVOKE_STATE_FOLDER": str(state_folder)}
    for command in ("reset", "status --json"):
        done = subprocess.run(
            ["sh", "-c", f"exec {quote(str(INV))} {command} {closed}"],
            cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert value(full, "SELECT count(*) FROM students") == 0


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_output_that_lacks_a_character_shows_its_escape(full: Database, inv: Inv, encoding: str) -> None:
    with connect(full, purpose="tests") as conn:
        conn.execute("UPDATE student_faces SET face_id = 'élsewhere-' || id")
    arrow = "→" if encoding == "utf-8" else "\\u2192"
    shown = inv("sync-faces", "--dry-run", "--verbose", PYTHONIOENCODING=encoding).stdout
    assert shown.count(f" {arrow} ") == 24
    told = json.loads(inv("sync-faces", "--dry-run", "--json", PYTHONIOENCODING=encoding).stdout)
    items = [item for each in told["collections"] for item in each["items"]]
    assert sum(item["kind"] == "relink" and item["before"].startswith("élsewhere-") for item in items) == 24
    assert arrow in inv("--list", PYTHONIOENCODING=encoding).stdout
