"""Every command under every protection: it is refused, or consent is asked for, before anything changes."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from invoke.collection import Collection
from invoke.loader import FilesystemLoader

from eduguard.aws import open_bucket, open_collection
from eduguard.checks import iam_policies
from eduguard.commands.permission import TABLE, Kind, kind_of, tighten
from eduguard.commands.words import tasks_of
from eduguard.errors import EduguardError
from eduguard.migrations import runner
from eduguard.postgres import Database, connect, execute_for, exists
from eduguard.rebuild import mark, protection, publication, snapshots
from eduguard.settings import Settings

ROOT = Path(__file__).parents[2]
PHOTO = "students/student-001/photo-{}.jpg"
Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


class Town:
    """A school of one photo: a database of ours, a collection and a bucket, and folders that a command may change."""

    def __init__(self, inv: Inv, database: Database, access: dict[str, Any], folder: Path, name: str) -> None:
        self.inv_on, self.database, self.folder, self.name = inv, replace(database, target="local"), folder, name
        self.collection = open_collection(name, **access)
        self.bucket = open_bucket(name, **access)
        self.other_bucket = open_bucket(f"{name}-other", **access)
        self.source = database.named(f"{database.name}_source")

    def inv(self, *words: str, protection: str = "open", **options: Any) -> subprocess.CompletedProcess[str]:
        own = {
            "INVOKE_TARGETS_LOCAL_COLLECTION": self.name,
            "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": f"{self.name}-2",
            "INVOKE_TARGETS_LOCAL_BUCKET": self.name,
            "INVOKE_TARGETS_STAGING_S3_ENDPOINT": "local",
            "INVOKE_TARGETS_STAGING_REKOGNITION_ENDPOINT": "local",
            "INVOKE_TARGETS_STAGING_DATABASE_URL": self.source.url,
            "INVOKE_TARGETS_STAGING_BUCKET_REGION": "us-east-1",
            "INVOKE_TARGETS_STAGING_BUCKET": f"{self.name}-other",
            "INVOKE_TARGETS_LOCAL_PROTECTION": protection,
            "INVOKE_SEED_FOLDER": str(self.folder / "seed_data"),
            "INVOKE_MIGRATIONS_FOLDER": str(self.folder / "migrations"),
            "INVOKE_RUN_DRY": "1",  # `bench` and `test` show what they would run
        }
        return self.inv_on(*words, **(own | options))

    def photo(self, number: int) -> str:
        return str(ROOT / "seed_data" / "photos" / PHOTO.format(number))

    def add_folder(self) -> None:
        (self.folder / "more" / PHOTO.format(2)).parent.mkdir(parents=True)
        shutil.copy(self.photo(2), self.folder / "more" / PHOTO.format(2))

    def make_next(self) -> None:
        publication.create_next(self.database, protection.inspect(self.database), command="tests")
        runner.apply(self.database.next, ROOT / "migrations")

    def publish(self) -> None:
        self.make_next()
        publication.publish(self.database)

    def save(self, name: str = "kept") -> None:
        if name not in [each.name for each in snapshots.list_snapshots(self.database)]:
            facts = {"migrations": "", "collection": self.name, "face_count": 1}
            snapshots.save(self.database, name, facts, lambda _: None)

    def enrol(self) -> None:
        self.inv("enrol")

    def export(self) -> None:
        if not (self.folder / "taken").exists():
            self.inv("export", str(self.folder / "taken"))

    def add_source(self) -> None:
        with connect(self.database.maintenance, purpose="tests") as conn:
            if not exists(conn, self.source):
                execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", self.source, self.database)

    def fill_other_bucket(self) -> None:
        self.other_bucket.ensure_exists()
        self.other_bucket.put(PHOTO.format(1), Path(self.photo(1)).read_bytes())

    def add_orphan(self) -> None:
        self.enrol()
        self.collection.index_face(Path(self.photo(2)).read_bytes(), "student-999-photo-1")

    def state(self) -> dict[str, object]:
        """Everything that a command could change: databases, rows, faces, objects."""
        with connect(self.database.maintenance, purpose="tests") as conn:
            named = "SELECT datname, oid FROM pg_database WHERE starts_with(datname, %s) OR datname ~ 'eduguard_' ORDER BY 1"
            databases = conn.execute(named, [self.database.name]).fetchall()
        faces = [] if self.collection.describe() is None else list(self.collection.list_faces())
        self.bucket.ensure_exists()
        return {
            "databases": [row for row in databases if not row[0].startswith("eduguard_template")],
            "rows": self.rows(),
            "faces": sorted(face.face_id for page in faces for face in page),
            "objects": self.bucket.sizes(),
        }

    def rows(self) -> dict[str, str]:
        tables = (
            "SELECT format('%I', relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        with connect(self.database, purpose="tests") as conn:
            return {
                table: str(
                    conn.execute(f"SELECT array_agg(t ORDER BY t::text)::text FROM {table} t".encode()).fetchone()
                )
                for (table,) in conn.execute(tables).fetchall()
            }

    @contextmanager
    def with_a_session(self) -> Iterator[None]:
        """Stay connected like the school's application, and fail if the session was ended."""
        with connect(self.database, purpose="tests") as conn:
            yield
            assert conn.execute("SELECT 1").fetchone() == (1,), "a session was ended"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrations, and fixtures and photos of one face."""
    folder = tmp_path_factory.mktemp("town")
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    shutil.copytree(ROOT / "seed_data", folder / "seed_data", ignore=shutil.ignore_patterns("students"))
    faces = folder / "seed_data" / "10_student_faces.yaml"
    faces.write_text("- id:".join(faces.read_text().split("- id:")[:2]))
    photo = folder / "seed_data" / "photos" / PHOTO.format(1)
    photo.parent.mkdir(parents=True)
    shutil.copy(ROOT / "seed_data" / "photos" / PHOTO.format(1), photo)
    return folder


@pytest.fixture(scope="module")
def stock(run_inv: Callable[[Database], Inv], server_url: str, cloud_access: dict[str, Any], folder: Path) -> Town:
    """The school that the others are copied from; only commands that do not change them use its collection and bucket."""
    database = Database.from_url(server_url).named(f"stock_{os.getpid()}")
    town = Town(run_inv(database), database, cloud_access, folder, f"stock-{os.getpid()}")
    town.inv("full")
    with connect(database, purpose="tests") as conn:
        conn.execute(
            "INSERT INTO sessions (id, class_id, starts_at) SELECT 'a-session', id, now() FROM classes ORDER BY id LIMIT 1"
        )
    return town


@pytest.fixture
def town(stock: Town, inv: Inv, database: Database, cloud_access: dict[str, Any], tmp_path: Path) -> Town:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, stock.database)
    shutil.copytree(stock.folder, tmp_path / "town")
    town = Town(inv, database, cloud_access, tmp_path / "town", stock.name)
    with connect(database, purpose="tests") as conn, conn.transaction():
        mark.write_mark(conn, town.database, command="inv full", inputs=None, replaces=None, written={})
    return town


@pytest.fixture
def own_town(town: Town, inv: Inv, cloud_access: dict[str, Any]) -> Iterator[Town]:
    """A copy with a collection and a bucket of its own, both empty."""
    with connect(town.database, purpose="tests") as conn:
        conn.execute("DELETE FROM eduguard.synced")  # it has not been synced with this collection
    own = Town(inv, town.database, cloud_access, town.folder, f"own-{uuid4().hex[:12]}")
    yield own
    with connect(town.database.maintenance, purpose="tests") as conn:
        execute_for(conn, "DROP DATABASE IF EXISTS {}", own.source)


def nothing(_: Town) -> None:
    """Prepare nothing: the command needs only a full database."""


@dataclass(frozen=True)
class Case:
    """A command as users type it, and the state that it needs."""

    words: str
    kind: Kind
    prepare: Callable[[Town], None] = nothing
    is_own: bool = False
    """it changes faces: not those of the other tests"""
    only_open: bool = False
    """its own rules refuse every other target"""


READ, OWN, CHANGE, REPLACE = Kind.READ, Kind.OWN, Kind.CHANGE, Kind.REPLACE
CASES = [
    Case("anonymise check", READ),
    Case("attendance show a-session", READ),
    Case("version", READ),
    Case("attendance take class-1b-lenguaje PHOTO", OWN),
    Case("bench", READ),
    Case("doctor", READ),
    Case("doctor --fix --yes", OWN),
    Case("down", READ),
    Case("env", READ),
    Case("evaluate", READ),
    Case("evaluate --dry-run", READ),
    Case("enrol --yes", CHANGE, is_own=True),
    Case("enrol student-001 PHOTO", OWN, is_own=True),
    Case("enrol --from MORE", OWN, Town.add_folder, is_own=True),
    Case("export EXPORTED", READ),
    Case("export EXPORTED --plain --confirm-plain DATABASE", OWN),
    Case("full --yes", REPLACE, is_own=True),
    Case("fixtures save --dry-run", OWN, only_open=True),
    Case("generate PULLED", READ),
    Case("load TAKEN", REPLACE, Town.export),
    Case("migrate", OWN),
    Case("migrate --plan", READ),
    Case("migration new NEW", READ),
    Case("photos check", READ),
    Case("photos check --propose --accept", OWN),
    Case("photos copy --from staging --confirm-bucket COLLECTION", CHANGE, Town.fill_other_bucket, is_own=True),
    Case("photos copy --from staging --dry-run", READ, Town.fill_other_bucket, is_own=True),
    Case("photos draw", CHANGE, is_own=True),
    Case("photos draw --dry-run", READ),
    Case("photos pull PULLED", READ),
    Case("photos push PHOTOS", OWN, is_own=True),
    Case("photos push PHOTOS --dry-run", READ),
    Case("port --from staging", REPLACE, Town.add_source, is_own=True),
    Case("port --from staging --dry-run", READ, Town.add_source, is_own=True),
    Case("psql", OWN),
    Case("publish", CHANGE, Town.make_next),
    Case("rebuild", REPLACE),
    Case("reindex", OWN, Town.enrol, is_own=True),
    Case("reindex --into NEW", OWN, Town.enrol, is_own=True),
    Case("reindex --dry-run", READ),
    Case("report PAGE", READ),
    Case("reset", REPLACE),
    Case("rollback", REPLACE),
    Case("seed", CHANGE),
    Case("seed --dry-run", READ),
    Case("seed-full", CHANGE),
    Case("snapshot delete kept", CHANGE, Town.save),
    Case("snapshot list", READ, Town.save),
    Case("snapshot restore kept", REPLACE, Town.save),
    Case("snapshot save NEW", CHANGE),
    Case("status --json", READ),
    Case("sync-faces", OWN),
    Case("sync-faces --check", READ),
    Case("sync-faces --dry-run --unlink-missing", READ),
    Case("sync-faces --prune orphans --confirm-collection COLLECTION", CHANGE, Town.add_orphan, is_own=True),
    Case("sync-faces --unlink-missing", CHANGE),
    Case("test", READ),
    Case("test-all", READ),
    Case("undo", CHANGE, Town.publish),
    Case("unenrol student-001 --yes", OWN, Town.enrol, is_own=True),
    Case("up", READ),
    Case("verify", READ),
]


def name_of(words: str) -> str:
    return next(name for name in sorted(TABLE, key=len, reverse=True) if f"{words} ".startswith(f"{name} "))


def test_every_command_is_in_the_table_and_is_tried() -> None:
    suite = tasks_of(Collection.from_module(FilesystemLoader(start=str(ROOT)).load("tasks")[0]))
    assert set(TABLE) == set(suite) == {name_of(case.words) for case in CASES}


def flags_of(words: str) -> dict[str, object]:
    """The flags of a command as the documentation writes it."""
    rest = words.removeprefix(name_of(words)).split()
    flags = {word.lstrip("-").replace("-", "_"): True for word in rest if word.startswith("--")}
    return {"from_" if name == "from" else name: value for name, value in flags.items()} | (
        {"student": "STUDENT"} if "STUDENT" in rest else {}
    )


def test_the_table_in_the_documentation_is_the_table_of_the_code() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text().partition("## What each command may do")[2]
    rows = re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \| (.*?) \|$", section.partition("\n## ")[0], flags=re.MULTILINE)
    allowed = {
        READ: ("yes", "yes", "yes"),
        OWN: ("own rules", "own rules", "own rules"),
        CHANGE: ("yes", "name typed", "no"),
        REPLACE: ("yes, if it is ours or empty; else name typed", "name typed", "no"),
    }
    told = {words: tuple(rest) for commands, *rest in rows for words in re.findall(r"`(.+?)`", commands)}
    assert told == {words: allowed[kind_of(name_of(words), flags_of(words))] for words in told}
    assert {name_of(words) for words in told} == set(TABLE)


def arguments(town: Town, case: Case, *, attempt: int) -> list[str]:
    values = {
        "PHOTO": town.photo(2),
        "PHOTOS": str(town.folder / "seed_data" / "photos"),
        "MORE": str(town.folder / "more"),
        "PULLED": str(town.folder / "pulled"),
        "NEW": f"new_{attempt}",
        "EXPORTED": str(town.folder / f"exported_{attempt}"),
        "PAGE": str(town.folder / f"page_{attempt}.html"),
        "TAKEN": str(town.folder / "taken"),
        "DATABASE": town.database.name,
        "COLLECTION": town.name,
    }
    return [values.get(word, word) for word in case.words.split()]


def run(town: Town, case: Case, protection: str, *more: str, attempt: int = 0) -> subprocess.CompletedProcess[str]:
    words = arguments(town, case, attempt=attempt)
    if case.words != "down":
        return town.inv(*words, *more, protection=protection, check=False)
    with tempfile.TemporaryDirectory(prefix="eg-") as folder:  # the servers of the other tests keep running
        Path(folder).chmod(0o711)
        return town.inv(*words, protection=protection, check=False, INVOKE_STATE_FOLDER=folder)


def cases(*kinds: Kind) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [each for each in CASES if each.kind in kinds], ids=lambda case: case.words)


@pytest.mark.slow
@cases(READ, OWN)
def test_a_command_that_replaces_nothing_runs_on_every_target(
    case: Case, town: Town, request: pytest.FixtureRequest
) -> None:
    own: Town = request.getfixturevalue("own_town") if case.is_own else town
    case.prepare(own)
    before = own.state()
    for attempt, level in enumerate(("open", "confirm", "refuse")):
        done = run(own, case, level, attempt=attempt)
        expected = 1 if case.only_open and level != "open" else 0
        assert done.returncode == expected, f"{level}: {done.stdout}{done.stderr}"
        assert case.kind is OWN or own.state() == before


@pytest.mark.sampled("seed", "rebuild", "undo")
@cases(CHANGE, REPLACE)
def test_a_command_that_replaces_is_refused_asked_for_or_runs(
    case: Case, town: Town, request: pytest.FixtureRequest
) -> None:
    own: Town = request.getfixturevalue("own_town") if case.is_own else town
    case.prepare(own)
    before, name, consent = own.state(), own.database.name, ("--confirm", own.database.name)
    with own.with_a_session():
        refused = run(own, case, "refuse", *consent)
        asked = run(own, case, "confirm")
        wrong = run(own, case, "confirm", "--confirm", "another")
    assert own.state() == before
    command = f"`inv {name_of(case.words)}`"
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"error: {command} is refused: the protection of target local is `refuse`" in refused.stderr
    assert (asked.returncode, asked.stdout) == (1, "")
    assert re.search(
        rf"{name} on .* by {command[:-1]}[^`]*`: .*`confirm`.*\n  To go on, pass --confirm {name}\n", asked.stderr
    )
    assert (wrong.returncode, "'another' is not its name" in wrong.stderr) == (1, True)
    done = run(own, case, "confirm", *consent, attempt=1)
    assert done.returncode == 0, done.stderr
    case.prepare(own)
    done = run(own, case, "open", attempt=2)
    assert done.returncode == 0, done.stderr


def test_nothing_begins_where_a_later_command_of_the_line_is_refused(town: Town) -> None:
    before = town.state()
    (town.folder / "seed_data" / "photos").rename(town.folder / "photos")
    done = town.inv("photos", "push", str(town.folder / "photos"), "undo", protection="refuse", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "`inv undo` is refused" in done.stderr
    assert town.state() == before


def test_a_name_is_passed_once_for_the_whole_command_line(town: Town) -> None:
    done = town.inv("reset", "seed", "--confirm", town.database.name, "undo", protection="confirm")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "rebuild", "migrate", "publish", "reset", "seed", "undo",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_name_is_typed_once_for_the_whole_command_line(town: Town, state_folder: Path) -> None:
    ours, theirs = os.openpty()
    os.write(ours, f"{town.database.name}\n".encode())
    own = {
        "DATABASE_URL": town.database.shown_url,
        "INVOKE_STATE_FOLDER": str(state_folder),
        "INVOKE_TARGETS_LOCAL_PROTECTION": "confirm",
    }
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "inv", "reset", "seed", "snapshot", "save", "typed"],
        cwd=ROOT, env=os.environ | own, stdin=theirs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Type the database's name to go on:") == 1
    assert "by `inv reset`, `inv seed`, `inv snapshot save`;" in done.stderr


def test_a_refusal_asks_no_server(inv: Inv) -> None:
    url = "postgresql://me:s3cr3t@192.0.2.1:9/school"
    done = inv("seed", check=False, DATABASE_URL=url, INVOKE_TARGETS_LOCAL_PROTECTION="refuse")
    assert (done.returncode, "`inv seed` is refused" in done.stderr, "s3cr3t" in done.stderr) == (1, True, False)


def test_a_command_on_a_host_that_is_not_local_asks_even_where_the_target_is_open(full: Database) -> None:
    state = replace(protection.inspect(full), is_local=False)
    with pytest.raises(EduguardError, match="is not changed: it is not on this machine, and nobody was there"):
        protection.require_consent(state, full, "open", confirm="", ask=lambda _: None, replacing=False)


@pytest.mark.sampled("weaker than refuse--f FILE", "weaker than confirm-the user's file", "stricter-a variable")
@pytest.mark.parametrize("way", ["-f FILE", "the user's file", "a variable"])
@pytest.mark.parametrize(
    ("project", "theirs", "holds"),
    [("confirm", "open", "confirm"), ("refuse", "confirm", "refuse"), ("open", "refuse", "refuse")],
    ids=["weaker than confirm", "weaker than refuse", "stricter"],
)
def test_protection_can_be_tightened_and_never_weakened(
    way: str, project: str, theirs: str, holds: str, tmp_path: Path, empty_database: Database, state_folder: Path
) -> None:
    shutil.copy(ROOT / "tasks.py", tmp_path)
    shipped = (ROOT / "invoke.yaml").read_text()
    (tmp_path / "invoke.yaml").write_text(re.sub(r"(protection:) open ", rf"\1 {project} ", shipped))
    file = tmp_path / (".invoke.yaml" if way == "the user's file" else "theirs.yaml")
    file.write_text(f"targets: {{local: {{protection: {theirs}}}}}\n")
    own = {
        "HOME": str(tmp_path), "DATABASE_URL": empty_database.shown_url, "INVOKE_STATE_FOLDER": str(state_folder),
    }  # fmt: skip
    if way == "a variable":
        own["INVOKE_TARGETS_LOCAL_PROTECTION"] = theirs
    chosen = ["-f", str(file)] if way == "-f FILE" else []
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "inv", *chosen, "status", "--json"],
        cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert f'"protection": "{holds}"' in done.stdout, done.stderr


@pytest.mark.parametrize("levels", [[{"targets": None}], [{"targets": {"local": 3}}], [{}, None], [[1]]])
def test_a_level_of_another_form_is_passed_over(levels: list[object]) -> None:
    values = {"targets": {"local": {"protection": "open"}, "other": {}, "strange": 1}}
    assert tighten(values, levels) == values


def test_a_misspelt_protection_of_any_level_is_not_passed_over() -> None:
    values = {"targets": {"local": {"protection": "refuse"}}}
    levels = [{"targets": {"local": {"protection": "refused"}}}]
    assert tighten(values, levels) == {"targets": {"local": {"protection": "refused"}}}


@pytest.mark.sampled
@pytest.mark.parametrize("words", ["rollback", "load TAKEN", "port --from staging", "undo"])
def test_what_replaces_or_renames_refuses_the_maintenance_database(inv: Inv, server_url: str, words: str) -> None:
    done = inv(*words.split(), check=False, DATABASE_URL=Database.from_url(server_url).named("postgres").url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: postgres is never replaced")


def action_of(request: BaseHTTPRequestHandler, body: bytes) -> str | None:
    """The action of IAM that a request needs; None: whoever has a key may send it."""
    if target := request.headers.get("X-Amz-Target"):
        return f"rekognition:{target.rpartition('.')[2]}"
    path, _, query = request.path.partition("?")
    bucket, _, key = path.lstrip("/").partition("/")
    if b"Action=GetCallerIdentity" in body:
        return None
    if key:
        versioned = "Version" * ("versionId" in query)
        return {"PUT": "s3:PutObject", "DELETE": f"s3:DeleteObject{versioned}"}.get(request.command, "s3:GetObject")
    if bucket:
        for word in ("PolicyStatus", "PublicAccessBlock", "Acl"):
            if word.lower() in query.lower():
                return f"s3:GetBucket{word}"
        return "s3:CreateBucket" if request.command == "PUT" else "s3:ListBucket" + "Versions" * ("versions" in query)
    return "s3:ListAllMyBuckets"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_the_policy_of_a_command_allows_all_that_it_asks_aws_for(
    case: Case,
    town: Town,
    request: pytest.FixtureRequest,
    relay: Callable[..., str],
    cloud_variables: dict[str, str],
    settings: Settings,
) -> None:
    own: Town = request.getfixturevalue("own_town") if case.is_own else town
    case.prepare(own)
    own.bucket.ensure_exists()
    asked = set[str | None]()
    url = relay(lambda handler, body: asked.add(action_of(handler, body)))
    ends = {f"INVOKE_TARGETS_LOCAL_{name}_ENDPOINT": url for name in ("REKOGNITION", "S3")}
    if case.words != "down":  # which stops the servers of the other tests
        own.inv(*arguments(own, case, attempt=3), check=False, **ends, **cloud_variables)
    policies = iam_policies(settings, account="1")
    named = [name for name in policies if f"{case.words} ".startswith(f"{name} ")]
    allowed = [each["Action"] for each in policies[max(named, key=len)]["Statement"]] if named else []
    assert asked - {None} <= {action for actions in allowed for action in actions}
