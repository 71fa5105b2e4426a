"""Each way around the protection fails: the server that libpq reached decides, not the URL."""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, embedded, execute_for
from eduguard.rebuild import protection

ROOT = Path(__file__).parents[2]


@pytest.fixture
def filled(empty_database: Database) -> Database:
    with connect(empty_database, purpose="tests") as conn:
        conn.execute("CREATE TABLE pupils AS SELECT generate_series(1, 10) AS id")
    return empty_database


def refused(database: Database) -> str:
    with pytest.raises(EduguardError, match="(?s)pupils 10.*--confirm") as raised:
        protection.require_consent(protection.inspect(database), database, "open", confirm="", ask=lambda _: None)
    return str(raised.value)


@pytest.fixture
def aliases() -> dict[str, tuple[str, str]]:
    """Where the forwarder sends a client that asks for a database: to another name, on a server's socket."""
    return {}


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for each in (source, sink):
            each.close()


def lead(client: socket.socket, aliases: dict[str, tuple[str, str]], path: str) -> None:
    """Connect a client to the server that its first message asks for."""
    message = client.recv(65536)
    while int.from_bytes(message[4:8], "big") in (80877103, 80877104):  # SSLRequest and GSSENCRequest
        client.sendall(b"N")
        message = client.recv(65536)
    asked = message.partition(b"\0database\0")[2].partition(b"\0")[0].decode()
    name, path = aliases.get(asked, (asked, path))
    body = message[4:].replace(f"\0database\0{asked}\0".encode(), f"\0database\0{name}\0".encode())
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    server.sendall((len(body) + 4).to_bytes(4, "big") + body)
    for pair in ((client, server), (server, client)):
        threading.Thread(target=pump, args=pair, daemon=True).start()


@pytest.fixture
def forwarder(filled: Database, aliases: dict[str, tuple[str, str]]) -> Iterator[int]:
    """A TCP port on the loopback addresses (also IPv6) that forwards to a server's socket, like a pooler."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=lead, args=[client, aliases, socket_path(filled)], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def socket_path(database: Database) -> str:
    known = conninfo_to_dict(database.url)
    return f"{known['host']}/.s.PGSQL.{known['port']}"


def test_a_socket_path_is_guarded(filled: Database) -> None:
    assert "/postgres/s:5432" in refused(filled)


def test_a_service_file_is_guarded(filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = conninfo_to_dict(filled.url)
    (tmp_path / "services").write_text(f"[school]\nhost={known['host']}\nport={known['port']}\nuser=postgres\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    refused(Database.from_url(f"service=school dbname={filled.name}"))


@pytest.mark.sampled("localhost")
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "nowhere.invalid,127.0.0.1"])
def test_every_spelling_of_a_host_is_guarded(filled: Database, forwarder: int, host: str) -> None:
    url = f"postgresql://postgres@{host}:{forwarder}/{filled.name}"
    if "," in host:
        url = f"host={host} port={forwarder},{forwarder} user=postgres dbname={filled.name} sslmode=disable"
    refused(Database.from_url(url))


def test_a_pooler_that_gives_a_database_another_name_is_refused(
    filled: Database, forwarder: int, aliases: dict[str, tuple[str, str]]
) -> None:
    other = filled.aside(f"other_than_{filled.name}")
    with connect(filled.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {}", other)
        try:
            aliases[filled.name] = (other.name, socket_path(filled))
            with pytest.raises(EduguardError, match=f"/{filled.name}.* leads to database {other.name}\n"):
                protection.inspect(Database.from_url(f"postgresql://postgres@127.0.0.1:{forwarder}/{filled.name}"))
        finally:
            execute_for(conn, "DROP DATABASE {} WITH (FORCE)", other)


@pytest.mark.slow
def test_a_pooler_that_leads_to_another_server_is_refused(
    filled: Database, forwarder: int, aliases: dict[str, tuple[str, str]]
) -> None:
    with tempfile.TemporaryDirectory(prefix="eg-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        other = Database.from_url(embedded.ensure_running(folder / "postgres", settings=["fsync=off"]))
        try:
            with connect(other, purpose="tests") as conn:
                execute_for(conn, "CREATE DATABASE {}", filled)
            aliases[filled.name] = (filled.name, socket_path(other))
            with pytest.raises(EduguardError, match=f"{filled.name} of another server than postgres"):
                protection.inspect(Database.from_url(f"postgresql://postgres@127.0.0.1:{forwarder}/{filled.name}"))
        finally:
            embedded.stop(folder / "postgres")


def test_an_environment_that_names_the_server_is_guarded(
    filled: Database, forwarder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(forwarder))
    monkeypatch.setenv("PGUSER", "postgres")
    refused(Database.from_url(f"dbname={filled.name}"))


@pytest.fixture
def address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_an_address_that_is_not_loopback_is_not_local(filled: Database, forwarder: int, address: str) -> None:
    state = protection.inspect(Database.from_url(f"postgresql://postgres@{address}:{forwarder}/{filled.name}"))
    assert not state.is_local


@pytest.mark.parametrize("host", ["/nowhere", "localhost", "db.example.org"])
def test_an_address_beside_a_host_decides_and_is_named(
    filled: Database, forwarder: int, address: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOSTADDR", address)
    url = f"host={host} port={forwarder} user=postgres dbname={filled.name} sslmode=disable"
    database = Database.from_url(url)
    assert not protection.inspect(database).is_local
    assert f"{host}:{forwarder} at {address}" in refused(database)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "PGREQUIREAUTH", "PGTZ", "PGGSSENCMODE"])
def test_no_variable_for_another_server_affects_the_embedded_one(state_folder: Path, name: str) -> None:
    values = {"PGHOSTADDR": "127.0.0.1", "PGOPTIONS": "-c search_path=elsewhere", "PGGSSENCMODE": "require"}
    settings = {name: values.get(name, "elsewhere"), "INVOKE_STATE_FOLDER": str(state_folder)}
    for command in (["snapshot", "list"], ["status"]):
        done = subprocess.run(
            [ROOT / ".venv" / "bin" / "inv", *command],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.sampled("reset")
@pytest.mark.parametrize("command", ["reset", "status", "seed", "snapshot list", "migrate"])
def test_a_password_is_in_no_stream_and_no_argument_list(
    forwarder: int, filled: Database, state_folder: Path, command: str
) -> None:
    url = f"postgresql://postgres:s3cr3t-word@127.0.0.1:{forwarder}/{filled.name}"
    process = subprocess.Popen(
        [ROOT / ".venv" / "bin" / "inv", *command.split()],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url, "INVOKE_STATE_FOLDER": str(state_folder)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    listed = ""
    while process.poll() is None:
        listed += subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    output, _ = process.communicate(timeout=60)
    assert "/inv" in listed
    assert "s3cr3t" not in output + listed
    assert output


def test_a_password_is_in_no_exception() -> None:
    script = (
        "import sys; from eduguard.postgres import Database, connect\n"
        "with connect(Database.from_url(sys.argv[1]), purpose='x'): pass\n"
    )
    url = "postgresql://me:s3cr3t-word@127.0.0.1:9/school"
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Cannot connect" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("INVOKE_CONFIRM", "pass --confirm "),
        ("INVOKE_TARGETS_LOCAL_CONFIRM", "INVOKE_TARGETS_LOCAL_CONFIRM"),
        ("INVOKE_YES", "pass --confirm "),
    ],
    ids=["passed over", "refused by name", "passed over, too"],
)
def test_consent_comes_from_no_variable_and_no_pipe(filled: Database, state_folder: Path, name: str, said: str) -> None:
    settings = {"DATABASE_URL": filled.shown_url, "INVOKE_STATE_FOLDER": str(state_folder), name: filled.name}
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "inv", "reset"],
        cwd=ROOT, env=os.environ | settings, input=f"{filled.name}\ny\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    with connect(filled, purpose="tests") as conn:
        assert conn.execute("SELECT count(*) FROM pupils").fetchone() == (10,)


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "status"), [("right", 0), ("wrong", 1)])
def test_a_name_typed_on_a_terminal_decides(filled: Database, state_folder: Path, typed: str, status: int) -> None:
    ours, theirs = os.openpty()
    settings = {"DATABASE_URL": filled.shown_url, "INVOKE_STATE_FOLDER": str(state_folder)}
    os.write(ours, f"{filled.name if typed == 'right' else 'school'}\n".encode())
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "inv", "reset"],
        cwd=ROOT, env=os.environ | settings, stdin=theirs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, "Type the database's name" in done.stderr) == (status, True), done.stderr
    assert bool(protection.inspect(filled).mark) is (status == 0)


def test_no_object_shows_a_password() -> None:
    database = Database.from_url("postgresql://me:s3cr3t-word@127.0.0.1:9/school")
    assert "s3cr3t" not in repr(database)
