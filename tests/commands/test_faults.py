"""Faults: after any failure the old database serves the same rows, and the next `inv full` succeeds."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from eduguard.aws import local_cloud
from eduguard.postgres import Database, connect, embedded, read_value
from eduguard.postgres.programs import find_binaries
from eduguard.state_folder import server_account

ROOT = Path(__file__).parents[2]
INV = ROOT / ".venv" / "bin" / "inv"
COLLECTION = {
    "INVOKE_TARGETS_LOCAL_COLLECTION": "tests",
    "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": "tests-2",
    "INVOKE_TARGETS_LOCAL_BUCKET": "tests",
}
Inv = Callable[..., subprocess.CompletedProcess[str]]
Record = Callable[[str, object], None]
# How our programs and PostgreSQL's name a file until it is complete.
UNFINISHED = re.compile(r"unfinished|xlogtemp|pgsql_tmp.|\.(tmp|part)\Z")
WHOLE_ROWS = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT t::text AS r FROM students t
    UNION ALL SELECT t::text FROM student_faces t
    UNION ALL SELECT t::text FROM classes t
    UNION ALL SELECT t::text FROM class_enrollments t
    UNION ALL SELECT t::text FROM legal_guardians t
) rows
"""
# What is the same after a rebuild: everything except the times at which a row was made or indexed.
CHECKSUM = """
SELECT md5(string_agg(r, E'\\n' ORDER BY r)) FROM (
    SELECT id || rut || first_name || last_name || birth_date || grade_id AS r FROM students
    UNION ALL SELECT id || student_id || external_image_id || face_id FROM student_faces
    UNION ALL SELECT t::text FROM classes t
    UNION ALL SELECT t::text FROM class_enrollments t
) rows
"""
# By step, the statement at which the step waits until it is interrupted.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event = 'PgSleep'"
SLEEP = "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN NEW; END$$;"
WAITS = {
    "migrate": "SELECT pg_sleep(60);",
    "seed": f"{SLEEP} CREATE TRIGGER wait BEFORE INSERT ON students EXECUTE FUNCTION wait();",
    "sync": f"{SLEEP} CREATE TRIGGER wait BEFORE UPDATE ON student_faces EXECUTE FUNCTION wait();",
}

pytestmark = [pytest.mark.usefixtures("cloud_endpoint"), pytest.mark.fault]


def checksum(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, CHECKSUM))


def whole_rows(database: Database) -> str:
    with connect(database, purpose="tests") as conn:
        return str(read_value(conn, WHOLE_ROWS))


class Survival:
    """The rows of a database before a fault, and what must hold after it."""

    def __init__(self, inv: Inv, database: Database, folder: Path, scratch: Path, record: Record) -> None:
        self.inv, self.database, self._folder, self._scratch, self._record = inv, database, folder, scratch, record
        self.before, self.untouched = checksum(database), whole_rows(database)

    def check(self, done: subprocess.CompletedProcess[str] | None = None, *, published: bool = False) -> None:
        if done:
            assert (done.returncode, "error: " in done.stderr, "Traceback" in done.stderr) == (1, True, False), done
        assert published or whole_rows(self.database) == self.untouched
        self.inv("full")
        assert checksum(self.database) == self.before
        self._check_no_database_is_left()
        self._check_no_file_or_process_is_left()
        self._record("survived", self.database.name)

    def _check_no_database_is_left(self) -> None:
        named = json.loads(self.inv("status", "--json").stdout)["database"]["beside"]
        assert self.database.next.name not in named
        with connect(self.database.maintenance, purpose="tests") as conn:
            key = named[-1].split("_")[2]
            rows = conn.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s) OR strpos(datname, %s) > 0",
                [f"{self.database.name}_", key],
            ).fetchall()
            sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            for _ in range(100):  # a server takes a moment to end the session of a client that has gone
                if read_value(conn, sessions, self.database.name) == 0:
                    break
                time.sleep(0.1)
            else:
                pytest.fail("a session is left in the database")
            known = {str(oid) for (oid,) in conn.execute("SELECT oid FROM pg_database")}
        assert {name for (name,) in rows} == set(named)
        folders = {folder.name for folder in (self._folder / "postgres" / "data" / "base").iterdir()}
        assert folders - {"pgsql_tmp"} == known, "of a database that is not there any more"

    def _check_no_file_or_process_is_left(self) -> None:
        assert list(self._scratch.rglob("*")) == []
        assert [file for file in self._folder.rglob("*") if UNFINISHED.search(file.name)] == []
        assert [each.cmdline() for each in psutil.process_iter() if temporary_folder(each) == str(self._scratch)] == []


def temporary_folder(process: psutil.Process) -> str | None:
    """Return the folder of a process's temporary files: it identifies the processes of a test. Servers do not get it."""
    with suppress(psutil.Error):
        return process.environ().get("TMPDIR")
    return None


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands of one test keep their temporary files."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def survival(
    inv: Inv,
    full: Database,
    state_folder: Path,
    scratch: Path,
    record_property: Record,
) -> Survival:
    return Survival(inv, full, state_folder, scratch, record_property)


@pytest.fixture
def project(tmp_path: Path) -> dict[str, str]:
    for folder in ("migrations", "seed_data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return {
        "INVOKE_MIGRATIONS_FOLDER": str(tmp_path / "migrations"),
        "INVOKE_SEED_FOLDER": str(tmp_path / "seed_data"),
    }


def add_migration(project: dict[str, str], sql: str) -> None:
    folder = Path(project["INVOKE_MIGRATIONS_FOLDER"])
    (folder / "0104_fault.sql").write_text(sql)
    (folder / "0104_fault.rollback.sql").write_text("SELECT 1;")


def begin(database: Database, state_folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Begin `inv full` in a process group of its own."""
    own = {"DATABASE_URL": database.shown_url, "INVOKE_STATE_FOLDER": str(state_folder), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [INV, "full"], cwd=ROOT, env=os.environ | COLLECTION | own | environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_for_step(process: subprocess.Popen[str], database: Database) -> None:
    with connect(database.maintenance, purpose="tests") as conn:
        while not read_value(conn, WAITING, database.next.name):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)


@pytest.mark.slow
def test_a_broken_third_migration(survival: Survival, project: dict[str, str]) -> None:
    third = Path(project["INVOKE_MIGRATIONS_FOLDER"]) / "0002_add_grade_sections_attendance_drilldown.sql"
    third.write_text(third.read_text() + "\nSELECT nothing FROM nowhere;\n")
    done = survival.inv("full", check=False, **project)
    assert "0002_" in done.stderr
    survival.check(done)


@pytest.mark.slow
def test_a_broken_last_fixture_row(survival: Survival, project: dict[str, str]) -> None:
    last = max(Path(project["INVOKE_SEED_FOLDER"]).glob("*.yaml"))
    last.write_text(last.read_text() + "- {id: broken, nothing: 1}\n")
    done = survival.inv("full", check=False, **project)
    assert last.name in done.stderr
    survival.check(done)


@pytest.mark.slow
def test_the_cloud_cannot_be_reached(survival: Survival) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    cut = {"INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": "http://127.0.0.1:9", **keys}
    survival.check(survival.inv("full", check=False, **cut))


class Wire:
    """A TCP port in front of the local cloud that closes for ever in the middle of an answer."""

    def __init__(self, endpoint: str, cut_at: bytes) -> None:
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self._target, self._cut_at, self.is_cut = (host, int(port)), cut_at, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed by the cut
            while not self.is_cut:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:  # whichever direction ends first closes both
            while data := source.recv(65536):
                head, cut, _ = data.partition(self._cut_at)
                if cut:
                    self.is_cut = True
                    sink.sendall(head)
                    self._listener.close()
                    return
                sink.sendall(data)


@pytest.mark.slow
def test_the_network_is_cut_in_the_middle_of_the_listing(
    survival: Survival, cloud_endpoint: str, cloud_variables: dict[str, str]
) -> None:
    wire = Wire(cloud_endpoint, cut_at=b"student-003-photo-1")
    through = {"INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": wire.endpoint, **cloud_variables}
    done = survival.inv("full", check=False, **through)
    assert wire.is_cut
    survival.check(done)


OFTEN = {"publish"}  # the others are as slow, and break less easily
STEPS = ["enrol", "rebuild", "migrate", "seed", "sync", "publish", "verify"]


def steps(names: Iterable[str]) -> list[Any]:
    return [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("step", steps(STEPS))
def test_a_kill_after_any_step(survival: Survival, state_folder: Path, step: str) -> None:
    own = {"INVOKE_TARGETS_LOCAL_COLLECTION": "killed-after-enrol"} if step == "enrol" else {}
    for _ in range(10):  # after the last step a command may have ended before it can be killed
        process = begin(survival.database, state_folder, **own)
        assert process.stdout
        for line in process.stdout:
            if line.startswith(step):
                os.killpg(process.pid, signal.SIGKILL)
        end(process)
        if process.returncode or step != "verify":
            break
    assert process.returncode == -signal.SIGKILL
    survival.check(published=step in {"publish", "verify"})


@pytest.mark.slow
@pytest.mark.parametrize("step", steps(WAITS))
def test_a_kill_inside_a_step(survival: Survival, state_folder: Path, project: dict[str, str], step: str) -> None:
    add_migration(project, WAITS[step])
    process = begin(survival.database, state_folder, **project)
    wait_for_step(process, survival.database)
    os.killpg(process.pid, signal.SIGKILL)
    end(process)
    survival.check()


@pytest.mark.slow
def test_two_at_once(survival: Survival, state_folder: Path, project: dict[str, str]) -> None:
    add_migration(project, WAITS["migrate"])
    first = begin(survival.database, state_folder, **project)
    wait_for_step(first, survival.database)
    second = survival.inv("full", check=False)
    assert f"Another command is rebuilding {survival.database.name}: session" in second.stderr
    assert f"process {first.pid} on {socket.gethostname()}" in second.stderr
    published = survival.inv("publish", check=False)
    assert (published.returncode, f"process {first.pid} on" in published.stderr) == (1, True)
    with connect(survival.database.maintenance, purpose="tests") as conn:
        conn.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    survival.check(end(first))


@pytest.fixture(scope="module")
def own_folder(new_state_folder: Callable[[], AbstractContextManager[Path]]) -> Iterator[Path]:
    """The state folder of servers that a test may stop; as small as they get."""
    with new_state_folder() as folder:
        yield folder


@pytest.fixture
def own(own_folder: Path, scratch: Path, run_inv: Callable[[Database], Inv], record_property: Record) -> Survival:
    """A full database on a server of the test's own."""
    return full_in(own_folder, scratch, run_inv, record_property)


def full_in(folder: Path, scratch: Path, run_inv: Callable[[Database], Inv], record: Record) -> Survival:
    url = embedded.ensure_running(folder / "postgres", settings=["fsync=off"])
    database = Database.from_url(url).named("eduguard")
    plain = run_inv(database)

    def inv(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return plain(*arguments, **({"DATABASE_URL": "", "INVOKE_STATE_FOLDER": str(folder)} | options))

    inv("full")
    return Survival(inv, database, folder, scratch, record)


def stop_at_once(folder: Path) -> None:
    account = server_account()
    subprocess.run(
        [find_binaries(folder, None) / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop"],
        check=True, capture_output=True, cwd="/", user=account and account.user_id,
    )  # fmt: skip


@pytest.mark.slow
def test_both_servers_are_stopped(own: Survival, own_folder: Path) -> None:
    assert embedded.stop(own_folder / "postgres")
    assert local_cloud.stop(own_folder / "cloud")
    own.inv("up")
    own.check()


@pytest.mark.slow
@pytest.mark.parametrize("step", WAITS)
def test_the_server_is_stopped_inside_a_step(own: Survival, own_folder: Path, project: Any, step: str) -> None:
    add_migration(project, WAITS[step])
    process = begin(own.database, own_folder, DATABASE_URL="", **project)
    wait_for_step(process, own.database)
    stop_at_once(own_folder / "postgres")
    done = end(process)
    own.inv("up")
    own.check(done)


@pytest.mark.slow
def test_the_local_cloud_is_killed_inside_sync(own: Survival, own_folder: Path, project: Any) -> None:
    add_migration(project, WAITS["seed"].replace("60", "2"))
    process = begin(own.database, own_folder, DATABASE_URL="", **project)
    wait_for_step(process, own.database)
    for each in psutil.process_iter(["cmdline"]):
        if str(own_folder / "cloud") in (each.info["cmdline"] or []):
            each.kill()
    done = end(process)
    assert (done.returncode, "0 placeholders" in done.stdout) == (0, True), "the local cloud was not started again"
    own.check(published=True)


LIMITED = (
    "import resource, sys; from pathlib import Path; from eduguard.postgres import embedded\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))\n"
    "embedded.ensure_running(Path(sys.argv[1]))\n"
)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["migrate", "seed"])
def test_the_disk_is_full(own: Survival, own_folder: Path, project: Any, step: str) -> None:
    """No file of the server may grow beyond 16 MB: writes fail as on a full disk, and no mount is needed."""
    large = "CREATE TABLE large AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 20000)"
    fill = f"CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {large}; RETURN NEW; END$$;"
    trigger = "CREATE TRIGGER fill BEFORE INSERT ON students EXECUTE FUNCTION fill();"
    add_migration(project, f"{large};" if step == "migrate" else fill + trigger)
    embedded.stop(own_folder / "postgres")
    subprocess.run([sys.executable, "-c", LIMITED, own_folder / "postgres"], check=True)
    done = own.inv("full", check=False, **project)
    assert "File too large" in done.stderr
    assert whole_rows(own.database) == own.untouched, "while the disk is full"
    embedded.stop(own_folder / "postgres")
    own.inv("up")
    own.check(done)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A state folder on its own disk, with room for a server and its databases."""
    folder = Path(tempfile.mkdtemp(prefix="eg-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=400m,mode=0711", "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    try:
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        yield folder
        embedded.stop(folder / "postgres")
        local_cloud.stop(folder / "cloud")
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def fill_but(folder: Path, megabytes: int) -> Path:
    """Fill the disk of a folder with one file, except for a number of bytes."""
    file = folder / "ballast"
    with file.open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, shutil.disk_usage(folder).free - (megabytes << 20))
    return file


# Statements that fill the remaining 40 MB: with a table that is not logged, or with the log.
FILLS = {
    "table": "CREATE UNLOGGED TABLE large AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 80000);",
    "log": "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, 80);",
}


@pytest.mark.slow
@pytest.mark.parametrize("filled", FILLS)
def test_a_small_disk_is_full(
    small_disk: Path, scratch: Path, project: Any, run_inv: Any, record_property: Record, filled: str
) -> None:
    own = full_in(small_disk, scratch, run_inv, record_property)
    add_migration(project, FILLS[filled])
    ballast = fill_but(small_disk, 40)
    done = own.inv("full", check=False, **project)
    if filled == "table":
        assert "No space left on device" in done.stderr
        assert whole_rows(own.database) == own.untouched, "while the disk is full"
    else:  # without room for its log PostgreSQL stops, and cannot start until there is room
        refused = own.inv("up", check=False)
        assert (refused.returncode, "No space left on device" in refused.stderr) == (1, True), refused
        assert "Traceback" not in refused.stderr
    ballast.unlink()
    own.inv("up")
    own.check(done)
