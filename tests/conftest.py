"""One PostgreSQL server and one local cloud for a test run, both real, each in its own folder; one database per test."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import IO, Any

import boto3
import hypothesis
import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from eduguard import fixtures
from eduguard.aws import local_cloud as cloud
from eduguard.aws.local_cloud import LocalCloud
from eduguard.migrations import runner
from eduguard.postgres import Database, connect, embedded, execute_for
from eduguard.rebuild import mark, snapshots, templates
from eduguard.settings import Settings, load_settings
from forked_inv import Forks, forks

ROOT = Path(__file__).parents[1]
INV = Path(sys.executable).parent / "inv"
COLLECTION = "tests"
# Variables of a CI, a terminal or Python: pytest and our commands also read them, and would print other lines.
_SURROUNDINGS = {
    "BUILD_NUMBER",
    "CI",
    "COLUMNS",
    "DATABASE_URL",
    "FORCE_COLOR",
    "LINES",
    "NO_COLOR",
    "PY_COLORS",
    "PYTEST_ADDOPTS",
    "PYTHONDONTWRITEBYTECODE",  # each of some thousand commands would compile the modules again
}
_NUMBERS = count(1)
_QUICK_CASES = pytest.StashKey[dict[str, tuple[str, ...]]]()
_CASES = pytest.StashKey[dict[str, set[str]]]()

Inv = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, bytes] | None]

# `pytest --hypothesis-profile deep tests/inputs` tries inputs for hours; the suite tries only a sample.
hypothesis.settings.register_profile("suite", max_examples=50, deadline=None)
hypothesis.settings.register_profile("deep", max_examples=5000, deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make test-all` start each command as a user does; `make test` forks them."""
    parser.addoption("--cold", action="store_true", help="start a new Python for each command")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the cases of a sampled test as slow, except those that its marker names, or except the first."""
    marker, case = item.get_closest_marker("sampled"), getattr(item, "callspec", None)
    if marker is None or case is None:
        return
    function = item.nodeid.partition("[")[0]
    quick = item.session.stash.setdefault(_QUICK_CASES, {}).setdefault(function, marker.args or (case.id,))
    item.session.stash.setdefault(_CASES, {}).setdefault(function, set()).add(case.id)
    if case.id not in quick:
        item.add_marker("slow")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse a sampled test whose marker names an unknown case: all its cases would be slow."""
    if any("::" in argument for argument in session.config.args):
        return  # not all cases may have been collected
    cases, quick = session.stash.get(_CASES, {}), session.stash.get(_QUICK_CASES, {})
    if wrong := [f"{name}: {case}" for name in quick for case in quick[name] if case not in cases[name]]:
        raise pytest.UsageError("No such case of a sampled test: " + "; ".join(wrong))


@pytest.fixture(scope="session", autouse=True)
def _scrubbed_environment() -> Iterator[None]:
    """Hide the caller's settings, credentials and servers from all tests."""
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(("INVOKE_", "AWS_", "PG", "MOTO_")) or name in _SURROUNDINGS:
            patch.delenv(name)
    patch.setenv("AWS_CONFIG_FILE", os.devnull)
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("NO_PROXY", "127.0.0.1")  # the tests' own requests stay on this machine
    patch.setenv("no_proxy", "127.0.0.1")
    yield
    patch.undo()


@contextmanager
def _state_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="eg-"))
    folder.chmod(0o711)
    yield folder
    embedded.stop(folder / "postgres")
    cloud.stop(folder / "cloud")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_state_folder() -> Callable[[], AbstractContextManager[Path]]:
    """Make a short path that PostgreSQL's account can reach if the tests run as root; stop its servers at the end."""
    return _state_folder


@pytest.fixture(scope="session")
def state_folder(new_state_folder: Callable[[], AbstractContextManager[Path]]) -> Iterator[Path]:
    with new_state_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def server_url(state_folder: Path) -> str:
    return embedded.ensure_running(state_folder / "postgres", settings=["fsync=off", "max_prepared_transactions=2"])


@pytest.fixture(scope="session")
def local_cloud(state_folder: Path) -> LocalCloud:
    return cloud.ensure_running(state_folder / "cloud")


@pytest.fixture(scope="session")
def cloud_endpoint(local_cloud: LocalCloud) -> str:
    return local_cloud.endpoint


@pytest.fixture(scope="session")
def cloud_access(local_cloud: LocalCloud) -> dict[str, Any]:
    """The local cloud's endpoint and key, as parameters for opening collections and buckets."""
    return {"region": "us-east-1", "endpoint": local_cloud.endpoint, "credentials": local_cloud.credentials}


@pytest.fixture(scope="session")
def cloud_client(local_cloud: LocalCloud) -> Callable[[str], Any]:
    """Make a boto3 client for a service of the local cloud."""

    def make(service: str) -> Any:
        return boto3.client(
            service, region_name="us-east-1", endpoint_url=local_cloud.endpoint, **local_cloud.credentials
        )

    return make


@pytest.fixture(scope="session")
def cloud_variables(local_cloud: LocalCloud) -> dict[str, str]:
    """The key of the local cloud in the variables of AWS's own chain."""
    return {name.upper(): value for name, value in local_cloud.credentials.items()}


@pytest.fixture(scope="session")
def tell_cloud(local_cloud: LocalCloud) -> Callable[..., None]:
    """Replace all active faults in the local cloud by these."""

    def put(**faults: Any) -> None:
        url, body = f"{local_cloud.endpoint}/localcloud/faults", json.dumps(faults).encode()
        request = AWSRequest("PUT", url, data=body)
        key = Credentials(local_cloud.access_key_id, local_cloud.secret_access_key)
        SigV4Auth(key, "localcloud", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT", headers=headers)) as answer:
            assert answer.status == 200

    return put


@pytest.fixture
def database(server_url: str) -> Iterator[Database]:
    """The name of a database that does not exist yet; databases that a test makes are dropped unless the test fails."""
    named = Database.from_url(server_url).named(f"test_{os.getpid()}_{next(_NUMBERS)}")
    yield named
    with connect(named.maintenance, purpose="tests") as conn:
        for each in (named, named.next, named.previous, named.discarded):
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)
        templates.retire(conn, named, kept=0)
        for each in templates.list_unwanted(conn, named):
            execute_for(conn, "DROP DATABASE {} WITH (FORCE)", each)
    for snapshot in snapshots.list_snapshots(named):
        snapshots.delete(named, snapshot)


@pytest.fixture
def empty_database(database: Database) -> Database:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", database)
    return database


@pytest.fixture(scope="session")
def seeded(server_url: str) -> Iterator[Database]:
    """A database with migrations and seeds, for cloning."""
    template = Database.from_url(server_url).named(f"seeded_{os.getpid()}")
    with connect(template.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", template)
    runner.apply(template, ROOT / "migrations")
    with connect(template, purpose="tests") as conn:
        fixtures.load_fixtures(conn, fixtures.read_fixtures(ROOT / "seed_data"))
    yield template
    with connect(template.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE {} WITH (FORCE)", template)


@pytest.fixture(scope="session")
def inv_forks(state_folder: Path, pytestconfig: pytest.Config) -> Iterator[Forks]:
    with forks(state_folder, is_cold=pytestconfig.getoption("--cold")) as running:
        yield running


@pytest.fixture(scope="session")
def run_inv(state_folder: Path, inv_forks: Forks) -> Callable[[Database], Inv]:
    """Run the tasks as a user does, on a database, with the collection and the bucket that all tests share."""

    def on(database: Database) -> Inv:
        def run(
            *arguments: str, check: bool = True, stdout: int | IO[str] = subprocess.PIPE, **environment: str
        ) -> subprocess.CompletedProcess[str]:
            settings = {
                "DATABASE_URL": database.shown_url,
                "INVOKE_STATE_FOLDER": str(state_folder),
                "INVOKE_TARGETS_LOCAL_COLLECTION": COLLECTION,
                "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": f"{COLLECTION}-2",
                "INVOKE_TARGETS_LOCAL_BUCKET": COLLECTION,
                "INVOKE_ANONYMISE_KEY": str(state_folder / "anonymise.key"),
            }
            done = inv_forks.run(
                [str(INV), *map(str, arguments)],
                folder=ROOT,
                environment=os.environ | settings | environment,
                stdout=stdout,
            )
            assert not check or done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stdout}{done.stderr}"
            return done

        return run

    return on


@pytest.fixture
def inv(run_inv: Callable[[Database], Inv], database: Database) -> Inv:
    return run_inv(database)


@pytest.fixture(scope="session")
def rebuilt(run_inv: Callable[[Database], Inv], server_url: str, cloud_endpoint: str) -> Database:
    """A database as `inv full` leaves it, made once and cloned by each test that needs one."""
    assert cloud_endpoint
    database = Database.from_url(server_url).named("test_template_full")
    run_inv(database)("full")
    return database


@pytest.fixture
def full(database: Database, rebuilt: Database) -> Database:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, rebuilt)
    with connect(database, purpose="tests") as conn, conn.transaction():  # the mark of a copy is invalid
        live = replace(database, target="local")
        mark.write_mark(conn, live, command="inv full", inputs=None, replaces=None, written={})
    return database


@pytest.fixture(scope="session")
def client(cloud_client: Callable[[str], Any]) -> Any:
    return cloud_client("rekognition")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The default settings, with the test's own migrations and fixtures."""
    for folder in ("migrations", "seed_data"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("photos"))
    values = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    values.pop("tasks")
    return load_settings(values, root=tmp_path, environment={})


@pytest.fixture
def school(database: Database, seeded: Database) -> Database:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, seeded)
    return database


@pytest.fixture
def faults(tell_cloud: Callable[..., None]) -> Iterator[Callable[..., None]]:
    """Replace all active faults by these; they end with the test."""
    yield tell_cloud
    tell_cloud()


@pytest.fixture
def relay(cloud_endpoint: str) -> Iterator[Callable[[Answer], str]]:
    """Serve the local cloud at another address, where a test answers some requests itself."""
    own = {
        "connection",
        "content-length",
        "date",
        "expect",
        "server",
        "transfer-encoding",
    }  # the host is not changed, because it is signed

    def serve(servers: ExitStack, answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if ours := answer(self, body):
                    self.reply(ours[0], {}, ours[1])
                    return
                kept = {name: value for name, value in self.headers.items() if name.lower() not in own}
                with closing(http.client.HTTPConnection(cloud_endpoint.removeprefix("http://"))) as upstream:
                    upstream.request(self.command, self.path, body, kept)
                    with upstream.getresponse() as said:
                        status, headers, content = said.status, dict(said.headers), said.read()
                self.reply(status, headers, content)

            def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in own:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Print no request log."""

        server = servers.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.callback(thread.join)
        servers.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    with ExitStack() as servers:
        yield lambda answer: serve(servers, answer)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of injected faults, and how often the old rows served and the next `inv full` succeeded."""
    passed = terminalreporter.stats.get("passed", [])
    faults = [report for report in passed if "fault" in report.keywords]
    survived = sum(name == "survived" for report in faults for name, _ in report.user_properties)
    if faults:
        terminalreporter.write_line(
            f"{len(faults)} faults injected and survived; after {survived} of them, faults of `inv full`, the old rows "
            "served, the next run succeeded and nothing was left behind"
        )
