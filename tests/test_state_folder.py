"""State is in the checkout, or outside it if a socket or an account requires that; two checkouts never share it."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eduguard import state_folder
from eduguard.errors import EduguardError


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every account can enter."""
    with tempfile.TemporaryDirectory(prefix="eg-") as name:
        Path(name).chmod(0o755)
        monkeypatch.setenv("XDG_STATE_HOME", name + "/xdg")
        yield Path(name)


def test_the_state_lies_in_the_checkout(open_folder: Path) -> None:
    assert state_folder.state_folder(open_folder, None) == open_folder / ".eduguard"


def test_a_path_too_long_for_a_socket_moves_the_state_outside(open_folder: Path) -> None:
    first, second = (open_folder / ("x" * 60) / name for name in ("a", "b"))
    folders = {state_folder.state_folder(checkout, None) for checkout in (first, second)}
    assert len(folders) == 2
    assert not any(folder.is_relative_to(open_folder / ("x" * 60)) for folder in folders)
    assert state_folder.state_folder(first, None) == state_folder.state_folder(first, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_a_checkout_that_the_servers_account_cannot_reach_moves_the_state_outside(open_folder: Path) -> None:
    checkout = open_folder / "private"
    checkout.mkdir(mode=0o700)
    assert state_folder.state_folder(checkout, None).parent == Path("/var/lib/eduguard")


def test_a_state_folder_can_be_passed_through_whatever_the_umask(open_folder: Path) -> None:
    before = os.umask(0o077)
    try:
        state_folder.make_state_folder(open_folder / "a" / "b")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (open_folder / "a", open_folder / "a" / "b")] == [0o711, 0o711]
    assert open_folder.stat().st_mode & 0o777 == 0o755


def test_a_setting_moves_the_state(open_folder: Path) -> None:
    assert state_folder.state_folder(Path("/nowhere"), open_folder / "here") == open_folder / "here"


def test_a_setting_that_cannot_work_says_why(open_folder: Path) -> None:
    with pytest.raises(EduguardError, match="too long for a Unix socket"):
        state_folder.state_folder(open_folder, open_folder / ("x" * 100))
