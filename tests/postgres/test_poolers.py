"""A pooler that does not keep a session for us is refused, and nothing waits for a session for ever."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, read_value

Serve = Callable[[str, int], str]
Inv = Callable[..., subprocess.CompletedProcess[str]]
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH')}:/usr/sbin")


@pytest.fixture
def pgbouncer(server_url: str) -> Iterator[Serve]:
    """Serve the test's server through PgBouncer itself."""
    known = conninfo_to_dict(server_url)
    with ExitStack() as stack:

        def serve(mode: str, size: int) -> str:
            folder = Path(tempfile.mkdtemp(prefix="pgb-"))
            stack.callback(shutil.rmtree, folder)
            folder.chmod(0o755)
            (folder / "ini").write_text(
                f"[databases]\n* = host={known['host']} port={known['port']} user=postgres\n[pgbouncer]\nlisten_addr =\n"
                f"unix_socket_dir = {folder}\nlisten_port = 6432\nauth_type = any\npool_mode = {mode}\n"
                f"default_pool_size = {size}\nignore_startup_parameters = extra_float_digits\n"
            )
            account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
            if account:
                shutil.chown(folder, "postgres")
            command = [str(PGBOUNCER), str(folder / "ini")]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **account)
            )
            stack.callback(process.terminate)
            while not listens(folder / ".s.PGSQL.6432"):
                assert process.poll() is None
            return f"postgresql://postgres@/postgres?host={folder}&port=6432"

        yield serve


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


@pytest.fixture(params=["our own forwarder", "PgBouncer"])
def pool(request: pytest.FixtureRequest) -> Serve:
    if request.param == "PgBouncer":
        if PGBOUNCER is None:
            pytest.skip("PgBouncer is not installed: only our own forwarder was tried")
        return request.getfixturevalue("pgbouncer")
    return request.getfixturevalue("pooler")


def test_the_forwarder_lends_a_session_for_a_transaction(pooler: Serve) -> None:
    url = pooler("transaction", 3)
    with psycopg.connect(url, autocommit=True) as first, psycopg.connect(url, autocommit=True) as second:
        query = "SELECT pg_backend_pid()"
        before = first.execute(query).fetchone()
        with second.transaction():
            assert second.execute(query).fetchone() == before
            assert first.execute(query).fetchone() != before


@pytest.mark.parametrize("size", [1, 2, 5])
def test_transaction_mode_is_refused_by_name_with_the_way_out(pool: Serve, size: int) -> None:
    database = Database.from_url(pool("transaction", size))
    with (
        pytest.raises(EduguardError, match="(?s)transaction mode.*server itself.*pool_mode = session"),
        connect(database, purpose="tests"),
    ):
        pytest.fail("it was not refused")


def test_session_mode_works(pool: Serve) -> None:
    database = Database.from_url(pool("session", 4))
    with connect(database, purpose="tests") as first, connect(database, purpose="tests") as second:
        assert read_value(first, "SELECT 1") == read_value(second, "SELECT 1") == 1


@pytest.mark.slow
def test_a_pooler_with_one_session_is_refused_instead_of_waited_for(pool: Serve) -> None:
    database = Database.from_url(pool("session", 1))
    with (
        pytest.raises(EduguardError, match="(?s)gave no session within 5 s.*default_pool_size"),
        connect(database, purpose="tests"),
    ):
        pytest.fail("it was not refused")


@pytest.mark.slow
@pytest.mark.usefixtures("cloud_endpoint")
def test_a_reset_works_in_session_mode_and_is_refused_in_transaction_mode(
    pool: Serve, run_inv: Callable[[Database], Inv], database: Database
) -> None:
    def inv(mode: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        url = Database.from_url(pool(mode, 10)).named(database.name).url
        return run_inv(database)(*arguments, DATABASE_URL=url, **options)

    inv("session", "reset", "reset", "rollback", "migrate")
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT count(*) FROM students") == 0
        before = read_value(conn, "SELECT oid FROM pg_database WHERE datname = current_database()")
    refused = inv("transaction", "reset", check=False)
    assert (refused.returncode, "transaction mode" in refused.stderr) == (1, True), refused.stderr
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT oid FROM pg_database WHERE datname = current_database()") == before
