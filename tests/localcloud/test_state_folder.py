"""A folder or a process is ours only if it says so; nothing else is changed or stopped."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.sampled
@pytest.mark.parametrize("disguise", ["another command", "another folder", "another start"])
def test_a_process_that_is_not_a_server_of_the_folder_is_never_stopped(
    own_state: Path, tmp_path: Path, command: Command, disguise: str
):
    own_state.mkdir()
    (own_state / "start.lock").touch()
    words = ["nobody"] if disguise == "another command" else ["localcloud", "serve"]
    script = "import fcntl, sys, time; held = open(sys.argv[1], 'a'); fcntl.flock(held, fcntl.LOCK_EX); print('held'); time.sleep(60)"
    lock = own_state / "server.lock"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", script, str(lock), *words],
        stdout=subprocess.PIPE,
        cwd=tmp_path if disguise == "another folder" else own_state,
    ) as foreign:
        try:
            assert foreign.stdout
            foreign.stdout.readline()
            lock.write_text(str(foreign.pid))
            if disguise == "another start":
                os.utime(lock, (time.time() - 1000, time.time() - 1000))
            done = command("stop", "--state", str(own_state), check=False)
            assert (done.returncode, "is held by a process that is not its server" in done.stderr) == (1, True)
            assert foreign.poll() is None
        finally:
            foreign.kill()


@pytest.mark.slow
def test_what_stop_says_has_stopped_has_ended(own_state: Path, launch: Callable[[Path], Any], command: Command):
    server = launch(own_state)
    command("stop", "--state", str(own_state))
    assert not is_alive(server.pid)


@pytest.mark.slow
def test_asking_changes_nothing(own_state: Path, tmp_path: Path, command: Command):
    foreign = tmp_path / "home"
    foreign.mkdir(mode=0o755)
    foreign.chmod(0o755)
    (foreign / "letter").touch()
    for name in (foreign, own_state):
        assert json.loads(command("status", "--state", str(name)).stdout)["running"] is False
        assert json.loads(command("stop", "--state", str(name)).stdout) == {"stopped": False}
    assert not own_state.exists()
    assert [path.name for path in foreign.iterdir()] == ["letter"]
    assert stat.S_IMODE(foreign.stat().st_mode) == 0o755


def test_a_folder_of_something_else_is_not_taken(tmp_path: Path, command: Command):
    foreign = tmp_path / "home"
    foreign.mkdir(mode=0o755)
    (foreign / "letter").touch()
    done = command("start", "--state", str(foreign), check=False)
    assert (done.returncode, "holds something else" in done.stderr) == (1, True)
    assert stat.S_IMODE(foreign.stat().st_mode) == 0o755


def test_a_folder_that_others_can_write_in_is_refused(tmp_path: Path, command: Command):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    done = command("start", "--state", str(shared), check=False)
    assert (done.returncode, f"`chmod go-w {shared}`" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_folder_from_before_there_were_keys_goes_on_and_its_open_server_is_replaced(
    own_state: Path, launch: Callable[[Path], Any], command: Command
):
    server = launch(own_state)
    server.client("rekognition").create_collection(CollectionId="kept")
    (own_state / "key.json").unlink()  # unchanged
    newer = launch(own_state)
    assert not is_alive(server.pid)
    assert newer.client("rekognition").list_collections()["CollectionIds"] == ["kept"]
    command("stop", "--state", str(own_state))
    (own_state / "key.json").unlink()
    assert launch(own_state).client("rekognition").list_collections()["CollectionIds"] == ["kept"]
