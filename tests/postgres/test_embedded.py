"""The embedded server starts once, is found again, and survives kills, deleted files and other faults."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from eduguard.errors import EduguardError
from eduguard.postgres import embedded
from eduguard.postgres.programs import names_own_server

START = "import sys; from pathlib import Path; from eduguard.postgres import embedded\nprint(embedded.ensure_running(Path(sys.argv[1]), settings=['fsync=off']))"


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """A folder whose path must be quoted, and that PostgreSQL's account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="it's a "))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(base: Path) -> Path:
    """The folder of a stopped server, for copying."""
    embedded.ensure_running(base / "cluster", settings=["fsync=off"])
    embedded.stop(base / "cluster")
    return base / "cluster"


@pytest.fixture
def folder(base: Path, cluster: Path) -> Iterator[Path]:
    """A folder with a cluster whose server is stopped."""
    copied = base / "copy"
    subprocess.run(["cp", "-a", cluster, copied], check=True)
    yield copied
    embedded.stop(copied)
    shutil.rmtree(copied)


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def answers(url: str) -> bool:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT 1").fetchone() == (1,)


def test_a_new_server_is_utf_8_sorts_by_code_point_and_listens_on_no_port(folder: Path) -> None:
    with psycopg.connect(embedded.ensure_running(folder)) as conn:
        shown = [
            conn.execute(f"SHOW {name}").fetchone()
            for name in ("server_encoding", "listen_addresses", "synchronous_commit")
        ]
        order = conn.execute(
            "SELECT string_agg(c, '' ORDER BY c) FROM unnest(ARRAY['é', 'b', 'Z', 'a', 'A']) c"
        ).fetchone()
    assert shown == [("UTF8",), ("",), ("on",)]
    assert order == ("AZabé",)


@pytest.mark.slow
def test_a_server_of_the_suite_is_durable_by_default(base: Path) -> None:
    folder = base / "durable"
    with psycopg.connect(embedded.ensure_running(folder)) as conn:
        shown = [
            conn.execute(f"SHOW {name}").fetchone() for name in ("fsync", "full_page_writes", "synchronous_commit")
        ]
    embedded.stop(folder)
    assert shown == [("on",), ("on",), ("on",)]


def test_nobody_else_may_enter_the_sockets_folder(folder: Path) -> None:
    embedded.ensure_running(folder)
    assert (folder / "s").stat().st_mode & 0o077 == 0
    assert (folder / "data").stat().st_mode & 0o077 == 0


def test_a_running_server_is_found_and_a_stopped_one_started_with_its_data(folder: Path) -> None:
    url = embedded.ensure_running(folder)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first = postmaster(folder)
    assert embedded.ensure_running(folder) == url
    assert postmaster(folder) == first
    assert embedded.stop(folder)
    assert not embedded.stop(folder)
    assert not embedded.read_status(folder).is_running
    with psycopg.connect(embedded.ensure_running(folder)) as conn:
        assert conn.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.fault
def test_a_killed_server_is_started_again_at_once(folder: Path) -> None:
    url = embedded.ensure_running(folder)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (id int)")
    os.kill(postmaster(folder), signal.SIGKILL)
    with psycopg.connect(embedded.ensure_running(folder)) as conn:
        conn.execute("SELECT * FROM kept")


@pytest.mark.sampled
@pytest.mark.parametrize(
    "pid", [str(os.getpid()), "999999", "not a number"], ids=["another program's", "nobody's", "garbage"]
)
def test_a_stale_pid_file_does_not_keep_the_server_from_starting(folder: Path, pid: str) -> None:
    embedded.ensure_running(folder)
    file = folder / "data" / "postmaster.pid"
    text = file.read_text()
    embedded.stop(folder)
    file.write_text(pid + text[text.index("\n") :])
    shutil.chown(file, (folder / "data").stat().st_uid)
    assert answers(embedded.ensure_running(folder))


@pytest.mark.slow
def test_another_server_whose_pid_a_stale_file_names_is_left_alone(folder: Path, base: Path) -> None:
    other = base / "another"
    subprocess.run(["cp", "-a", folder, other], check=True)
    embedded.ensure_running(folder)
    text = (folder / "data" / "postmaster.pid").read_text()
    embedded.stop(folder)
    url = embedded.ensure_running(other)
    pid = postmaster(other)
    try:
        file = folder / "data" / "postmaster.pid"
        file.write_text(f"{pid}{text[text.index(chr(10)) :]}")
        shutil.chown(file, (folder / "data").stat().st_uid)
        assert answers(embedded.ensure_running(folder))
        assert postmaster(other) == pid
        assert answers(url)
        file.write_text(f"{pid}{text[text.index(chr(10)) :]}")
        with pytest.raises(EduguardError, match="does not name the server that answers"):
            embedded.stop(folder)
        assert answers(url)
    finally:
        embedded.stop(other)
        shutil.rmtree(other)
        stop_by_hand(folder)


def stop_by_hand(folder: Path) -> None:
    data = str(folder / "data")
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "postgres" and (process.info["cmdline"] or [])[1:3] == ["-D", data]:
            process.send_signal(signal.SIGINT)  # a fast shutdown
            psutil.wait_procs([process], timeout=30)


@pytest.mark.parametrize("line", [1, 2], ids=["another folder", "another start"])
def test_a_server_is_ours_only_by_its_folder_and_its_start(folder: Path, line: int) -> None:
    embedded.ensure_running(folder)
    file = folder / "data" / "postmaster.pid"
    assert names_own_server(file, folder / "data")
    lines = file.read_text().splitlines()
    lines[line] = ["", "/another", "1"][line]
    changed = folder / "changed.pid"
    changed.write_text("\n".join(lines))
    assert not names_own_server(changed, folder / "data")


def test_a_folder_that_we_did_not_make_is_not_used(base: Path) -> None:
    folder = base / "theirs"
    (folder / "unfinished").mkdir(parents=True)
    kept = folder / "unfinished" / "thesis.txt"
    kept.write_text("mine")
    before = folder.stat()
    for use in (embedded.ensure_running, embedded.stop):
        with pytest.raises(EduguardError, match=f"{folder} holds files that EduGuard DB did not make"):
            use(folder)
    assert kept.read_text() == "mine"
    assert (folder.stat().st_mode, folder.stat().st_uid) == (before.st_mode, before.st_uid)


@pytest.mark.slow
def test_a_server_that_cannot_recover_for_a_folder_that_create_database_removed_is_started(folder: Path) -> None:
    url = embedded.ensure_running(folder)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 'kept' AS mark")
        conn.execute("CREATE DATABASE half")
        row = conn.execute("SELECT oid FROM pg_database WHERE datname = 'half'").fetchone()
        assert row
        with psycopg.connect(url, dbname="half") as half:
            half.execute("REINDEX INDEX pg_class_oid_index")
            conn.execute("CHECKPOINT")  # redo begins here
            half.commit()  # writes only the map of this database's files into its folder, as CREATE DATABASE does
    os.kill(postmaster(folder), signal.SIGKILL)
    shutil.rmtree(folder / "data" / "base" / str(row[0]))
    with psycopg.connect(embedded.ensure_running(folder)) as conn:
        assert conn.execute("SELECT mark FROM kept").fetchone() == ("kept",)
    assert "pg_filenode.map.tmp" in (folder / "log").read_text(), "it was not in the way"


@pytest.mark.slow
def test_a_server_whose_socket_is_gone_is_started_again(folder: Path) -> None:
    with psycopg.connect(embedded.ensure_running(folder), autocommit=True) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 'kept' AS mark")
    first = postmaster(folder)
    for file in (folder / "s").iterdir():
        file.unlink()
    with psycopg.connect(embedded.ensure_running(folder)) as conn:
        assert conn.execute("SELECT mark FROM kept").fetchone() == ("kept",)
    assert postmaster(folder) != first
    assert not psutil.pid_exists(first) or psutil.Process(first).status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_a_folder_copied_while_its_server_runs_gets_a_server_of_its_own(folder: Path, base: Path) -> None:
    first = embedded.ensure_running(folder)
    other = base / "other"
    subprocess.run(["cp", "-a", folder, other], check=True)
    try:
        assert answers(embedded.ensure_running(other))
        assert postmaster(other) != postmaster(folder)
        assert answers(first)
    finally:
        embedded.stop(other)
        shutil.rmtree(other)


def test_many_that_start_at_once_get_one_server(folder: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", START, folder], stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    urls = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 6
    assert len(urls) == 1
    assert answers(urls.pop().strip())


@pytest.mark.slow
@pytest.mark.fault
def test_an_initdb_that_was_killed_leaves_nothing_in_the_way(base: Path) -> None:
    folder = base / "killed"
    process = subprocess.Popen([sys.executable, "-c", START, folder], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while not (folder / "unfinished" / "global").exists():
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (folder / "data").exists()
        assert answers(embedded.ensure_running(folder, settings=["fsync=off"]))
    finally:
        embedded.stop(folder)


@pytest.mark.fault
def test_a_task_killed_right_after_starting_the_server_leaves_it_running(folder: Path) -> None:
    script = START + "\nimport os, signal; sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert answers(done.stdout.strip())


def test_variables_of_the_caller_do_not_reach_the_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGPORT": "1",
        "PGDATA": "/nowhere",
        "PGHOST": "nowhere.invalid",
        "LANG": "C",
        "LC_ALL": "C",
    }.items():
        monkeypatch.setenv(name, value)
    assert answers(embedded.ensure_running(folder) + "&options=-csearch_path%3Dpublic")


def test_a_server_that_cannot_start_shows_the_end_of_its_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_START_ATTEMPTS", 1)
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(
        EduguardError, match='(?s)pg_ctl failed with status 1.*unrecognized configuration parameter "no_such_setting"'
    ):
        embedded.ensure_running(folder)


def test_a_cluster_of_another_version_is_refused(folder: Path) -> None:
    (folder / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EduguardError, match="was made by PostgreSQL 15; this is 18"):
        embedded.ensure_running(folder)
    (folder / "data" / "PG_VERSION").write_text("18\n")


def test_a_folder_of_binaries_without_postgresql_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match=f"no initdb in {tmp_path}"):
        embedded.ensure_running(folder, binaries=tmp_path)


def test_binaries_of_another_version_are_named(base: Path) -> None:
    binaries = base / "binaries"
    binaries.mkdir(mode=0o755)
    for program in ("initdb", "postgres", "pg_isready"):
        (binaries / program).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.6 (Debian 15.6-0)'\n")
        (binaries / program).chmod(0o755)
    with pytest.raises(EduguardError, match=r"binaries holds PostgreSQL 15; the embedded server is 18"):
        embedded.ensure_running(base / "none", binaries=binaries)
    assert not (base / "none" / "data").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_has_a_server_of_their_own(base: Path) -> None:
    home = base / "home"
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")
    # Only root may be able to read the interpreter and the package, so this process provides both.
    script = (
        "import os, sys; from pathlib import Path; from eduguard.postgres import embedded; import psycopg, psycopg_binary, shutil, psutil\n"
        "import eduguard.postgres.programs, eduguard.state_folder, importlib.metadata, tempfile, zoneinfo, _strptime\n"
        "folder = Path(sys.argv[1]); tools = eduguard.postgres.programs.find_binaries(folder, None)\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "url = embedded.ensure_running(folder, binaries=tools, settings=['fsync=off'])\n"
        "print(psycopg.connect(url).execute('SELECT 1').fetchone()); embedded.stop(folder, binaries=tools)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, home / "postgres"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("(1,)\n", "")
    assert (home / "postgres" / "data").stat().st_uid == home.stat().st_uid


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_binaries_that_the_account_cannot_reach_are_copied_once(base: Path) -> None:
    from eduguard.postgres.programs import find_binaries

    hidden = base / "hidden"
    hidden.mkdir(mode=0o700)
    package = find_binaries(base / "none", None).parents[1]
    shutil.copytree(package, hidden / package.name)
    shutil.copytree(package.with_name(package.name + ".libs"), hidden / (package.name + ".libs"))
    folder = base / "reached"
    url = embedded.ensure_running(folder, binaries=hidden / package.name / "pginstall" / "bin", settings=["fsync=off"])
    try:
        assert answers(url)
        assert len(list(folder.glob("binaries-*"))) == 1
        assert hidden.stat().st_mode & 0o777 == 0o700
    finally:
        embedded.stop(folder)
