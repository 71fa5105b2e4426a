"""A server outlives the command that started it, so its environment has none of the command's secrets."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from eduguard.aws import local_cloud
from eduguard.postgres import embedded

SECRETS = {
    "DATABASE_URL": "postgresql://me:secret@db.example.org/school",
    "AWS_ACCESS_KEY_ID": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "PGPASSWORD": "secret",
    "INVOKE_TARGETS_LOCAL_DATABASE_URL": "secret",
    "A_TOKEN_OF_SOMETHING_ELSE": "secret",
}

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows an environment")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state folder of two servers, which the account of PostgreSQL can reach; the caller has secrets."""
    with tempfile.TemporaryDirectory(prefix="eg-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        for key, value in {**SECRETS, "TMPDIR": name}.items():
            monkeypatch.setenv(key, value)
        yield folder
        embedded.stop(folder / "postgres")
        local_cloud.stop(folder / "cloud")


def test_no_server_keeps_a_secret_of_its_caller(folder: Path) -> None:
    embedded.ensure_running(folder / "postgres", settings=["fsync=off"])
    local_cloud.ensure_running(folder / "cloud")
    numbers = [folder / "postgres" / "data" / "postmaster.pid", folder / "cloud" / "server.lock"]
    for pid in [int(file.read_text().split()[0]) for file in numbers]:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            assert b"secret" not in environment, process.cmdline()
        kept = psutil.Process(pid).environ()
        assert "PATH" in kept
        assert not {*SECRETS, "TMPDIR"} & set(kept)
