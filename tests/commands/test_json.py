"""Every command that prints a result prints it as one JSON object with --json: what docs/schemas says, failures too."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.loader import FilesystemLoader
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from eduguard.aws import open_bucket
from eduguard.commands.words import tasks_of
from eduguard.postgres import connect, execute_for, read_value
from eduguard.rebuild import mark

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "docs" / "schemas"
PHOTO = ROOT / "seed_data" / "photos" / "students" / "student-001" / "photo-1.jpg"
WITHOUT = {  # commands that do not print a result of ours
    "bench": "prints the table of a program of its own",
    "psql": "is the program psql",
    "test": "prints what the checkers say",
    "test-all": "prints what the checkers say",
}

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


class Place:
    """A school with another target beside it; tests may change its migrations and stop its servers."""

    def __init__(self, school: Any, folder: Path) -> None:
        self.school, self.folder, self.other = school, folder, f"{school.name}-other"
        shutil.copytree(ROOT / "migrations", folder / "migrations")
        for student in ("student-001", "student-101"):  # of two schools
            file = folder / "few" / "students" / student / "photo-1.jpg"
            file.parent.mkdir(parents=True)
            shutil.copy(ROOT / "seed_data/photos/students" / student / "photo-1.jpg", file)
        with connect(school.database, purpose="tests") as conn, conn.transaction():
            live = replace(school.database, target="local")
            mark.write_mark(conn, live, command="inv full", inputs=None, replaces=None, written={})
        self.source = school.database.named(f"{school.database.name}_source")
        self.own = {
            "INVOKE_MIGRATIONS_FOLDER": str(folder / "migrations"),
            "INVOKE_TARGETS_STAGING_S3_ENDPOINT": "local",
            "INVOKE_TARGETS_STAGING_REKOGNITION_ENDPOINT": "local",
            "INVOKE_TARGETS_STAGING_DATABASE_URL": self.source.url,
            "INVOKE_TARGETS_STAGING_BUCKET_REGION": "us-east-1",
            "INVOKE_TARGETS_STAGING_BUCKET": self.other,
        }

    def add_source(self) -> None:
        open_bucket(self.other, **self.school.access).ensure_exists()
        with connect(self.school.database.maintenance, purpose="tests") as conn:
            execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", self.source, self.school.database)

    def drop_source(self) -> None:
        with connect(self.school.database.maintenance, purpose="tests") as conn:
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self.source)

    def run_alone(self, words: str) -> subprocess.CompletedProcess[str]:
        """Run a command that stops servers, with its own state folder, so that the servers of other tests keep running."""
        with tempfile.TemporaryDirectory(prefix="eg-") as folder:
            Path(folder).chmod(0o711)
            try:
                return self.inv(f"{words} --json", check=False, INVOKE_STATE_FOLDER=folder)
            finally:
                self.inv("down", INVOKE_STATE_FOLDER=folder)

    def inv(self, words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        values = {
            "PHOTO": str(PHOTO),
            "NEW": str(self.folder / "new"),
            "NEW.html": str(self.folder / "new.html"),
            "FEW": str(self.folder / "few"),
            "TAKEN": str(self.folder / "taken"),
            "BUCKET": self.school.name,
            "DATABASE": self.school.database.name,
        }
        if "SESSION" in words:
            with connect(self.school.database, purpose="tests") as conn:
                values["SESSION"] = read_value(conn, "SELECT id FROM sessions ORDER BY starts_at DESC LIMIT 1")
        return self.school.inv(*(values.get(word, word) for word in words.split()), **self.own | options)


@pytest.fixture
def place(school: Any, tmp_path: Path) -> Iterator[Place]:
    place = Place(school, tmp_path)
    yield place
    place.drop_source()


@dataclass(frozen=True)
class Case:
    """A command in a situation, its exit status, and the keys of its object."""

    words: str
    before: tuple[str, ...] = ()
    """command lines"""
    status: int = 0
    has: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return name_of(self.words)


ENROL = "enrol --from FEW"
CASES = [
    Case("anonymise check", has={"missing": [], "stale": []}),
    Case("evaluate", (ENROL, "sync-faces"), has={"students": 2}),
    Case("evaluate --dry-run", (ENROL, "sync-faces")),
    Case("export NEW"),
    Case("export NEW --dry-run"),
    Case("load TAKEN", ("export TAKEN",)),
    Case("port --from staging --dry-run", has={"is_done": False}),
    Case("port --from staging --confirm-bucket BUCKET", has={"is_done": True}),
    Case("reindex --dry-run", ("enrol",)),
    Case("reindex", ("enrol",)),
    Case("attendance take class-1b-lenguaje PHOTO", (ENROL,), has={"present": 1}),
    Case("attendance show SESSION", (ENROL, "attendance take class-1b-lenguaje PHOTO"), has={"present": 1}),
    Case("doctor", (ENROL,), status=2, has={"verdict": "drift"}),
    Case("doctor --iam"),
    Case("down"),
    Case("enrol student-001 PHOTO"),
    Case("enrol student-001 PHOTO --dry-run"),
    Case("enrol student-001 PHOTO PHOTO --users"),
    Case("enrol student-001 tasks.py", status=1),
    Case("env"),
    Case("fixtures save --dry-run", ("full",), has={"is_written": False}),
    Case("full", has={"placeholders": 0}),
    Case("generate NEW --students 3"),
    Case("migrate", has={"applied": []}),
    Case("migrate --plan", has={"pending": []}),
    Case("migration new more"),
    Case("photos check", (ENROL,), status=2, has={"photos": 24}),
    Case("photos check --propose", (ENROL,), has={"proposals": []}),
    Case("photos copy --from staging --confirm-bucket BUCKET", status=2, has={"is_done": True}),
    Case("photos draw"),
    Case("photos draw --dry-run", has={"is_done": False}),
    Case("photos pull NEW", (ENROL,), has={"is_done": True}),
    Case("photos push seed_data/photos", has={"is_done": True}),
    Case("publish", ("rebuild migrate --next",)),
    Case("rebuild"),
    Case("report NEW.html", (ENROL, "sync-faces"), has={"not_searched": None}),
    Case("reset", has={"students": 0, "waiting": []}),
    Case("rollback"),
    Case("seed", has={"is_cloned": False}),
    Case("seed --dry-run", has={"written": 0}),
    Case("seed-full", ("enrol",), has={"placeholders": 0}),
    Case("seed-full", (ENROL,), status=2),
    Case("snapshot delete kept", ("snapshot save kept",), has={"name": "kept"}),
    Case("snapshot list", ("snapshot save kept",)),
    Case("snapshot restore kept", ("snapshot save kept",), has={"name": "kept"}),
    Case("snapshot save kept", has={"name": "kept"}),
    Case("status", has={"protection": "open"}),
    Case("sync-faces", (ENROL,)),
    Case("sync-faces --users", (ENROL,)),
    Case("sync-faces --check --verbose", (ENROL,), status=2),
    Case("undo", ("reset",)),
    Case("unenrol student-001 --yes --copies", (ENROL, "snapshot save kept"), has={"kept": []}),
    Case("up"),
    Case("verify --one-each", (ENROL,), status=2),
    Case("version", has={"problem": None}),
]


def name_of(words: str) -> str:
    return next(name for name in sorted(COMMANDS, key=len, reverse=True) if f"{words} ".startswith(f"{name} "))


COMMANDS = tasks_of(Collection.from_module(FilesystemLoader(start=str(ROOT)).load("tasks")[0]))


def has_json(name: str) -> bool:
    return any("json" in argument.names for argument in COMMANDS[name].get_arguments(ignore_unknown_help=True))


def read_schema(name: str) -> dict[str, Any]:
    return dict(json.loads((SCHEMAS / f"{name.replace(' ', '-')}.json").read_text()))


def check(schema: dict[str, Any], value: object) -> None:
    """Validate a value; the schemas refer to each other by file name."""
    registry: Registry[Any] = Registry(
        retrieve=lambda uri: Resource.from_contents(read_schema(uri.removesuffix(".json")))
    )
    Draft202012Validator(schema, registry=registry, format_checker=FormatChecker()).validate(value)


def test_every_command_prints_json_is_tried_and_has_a_schema() -> None:
    assert {name for name in COMMANDS if not has_json(name)} == set(WITHOUT)
    assert {case.name for case in CASES} == COMMANDS.keys() - WITHOUT
    assert {file.stem for file in SCHEMAS.glob("*.json")} == {"error", *(case.name.replace(" ", "-") for case in CASES)}


@pytest.mark.parametrize("file", sorted(SCHEMAS.glob("*.json")), ids=lambda file: file.stem)
def test_every_schema_is_valid(file: Path) -> None:
    Draft202012Validator.check_schema(json.loads(file.read_text()))
    assert json.loads(file.read_text())["$id"] == file.name


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.words} {case.status}".replace("/", "|"))
def test_a_command_prints_one_object_that_its_schema_describes(case: Case, place: Place) -> None:
    if "staging" in case.words:
        place.add_source()
    for words in case.before:
        place.inv(words)
    done = (
        place.run_alone(case.words) if case.name in {"down", "up"} else place.inv(f"{case.words} --json", check=False)
    )
    assert done.returncode == case.status, f"{done.stdout}{done.stderr}"
    found = json.loads(done.stdout)
    schema = read_schema(case.name)
    check(schema, found)
    for step in found.get("steps", []):
        check_step(step)
    assert ("error" in found) == (bool(case.status) and "error: " in done.stderr)
    assert case.has.items() <= found.items()


def check_step(step: dict[str, Any]) -> None:
    """Validate what a step recorded as the object of the command of its name."""
    check(read_schema(step["step"]), {key: value for key, value in step.items() if key != "step"})


@dataclass(frozen=True)
class Failure:
    """A command line that fails before or during a command, and what its object says."""

    words: str
    code: str
    place: str | None = None
    settings: dict[str, str] = field(default_factory=dict)


FAILURES = [
    Failure("status --jsn --json", "usage"),
    Failure("stauts --json", "usage"),
    Failure("snapshot save --json", "usage"),
    Failure("sync-faces --student --json", "usage"),
    Failure("--dry status --json", "usage"),
    Failure("-f nowhere.yaml status --json", "settings"),
    Failure("-f FOLDER/broken.yaml status --json", "settings", "FOLDER/broken.yaml:2"),
    Failure("status --json", "settings", None, {"INVOKE_TARGET": "loacl"}),
    Failure(
        "seed --dry-run --json",
        "fixtures",
        "FOLDER/seed_data/08_legal_guardians.yaml:1",
        {"INVOKE_SEED_FOLDER": "FOLDER/seed_data"},
    ),
    Failure("migrate --plan --json", "migrations", None, {"INVOKE_MIGRATIONS_FOLDER": "FOLDER"}),
    Failure("verify --json", "unreachable", "URL", {"DATABASE_URL": "URL"}),
    Failure("reset --json", "not-confirmed", None, {"INVOKE_TARGETS_LOCAL_PROTECTION": "confirm"}),
    Failure("reset --json", "refused", None, {"INVOKE_TARGETS_LOCAL_PROTECTION": "refuse"}),
    Failure("sync-faces --student student-999 --json", "schools"),
]
URL = "postgresql://127.0.0.1:1/nowhere"


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: f"{failure.words} {failure.code}".replace("/", "|"))
def test_a_failure_is_one_object_and_its_message_on_stderr(failure: Failure, school: Any, tmp_path: Path) -> None:
    def fill(text: str) -> str:
        return text.replace("FOLDER", str(tmp_path)).replace("URL", URL) if text != "DATABASE_URL" else text

    (tmp_path / "broken.yaml").write_text("target: [\n")
    shutil.copytree(ROOT / "seed_data", tmp_path / "seed_data", ignore=shutil.ignore_patterns("photos"))
    next(tmp_path.glob("seed_data/08*.yaml")).write_text("- nowhere: 1\n")
    settings = {name: fill(value) for name, value in failure.settings.items()}
    done = school.inv(*map(fill, failure.words.split()), check=False, **settings)
    found = json.loads(done.stdout)
    assert (done.returncode, list(found)) == (1, ["error"]), done.stdout
    check(read_schema("error"), found["error"])
    assert found["error"]["code"] == failure.code
    assert found["error"]["message"] in done.stderr
    if failure.place:
        assert found["error"]["place"] == fill(failure.place)


def test_a_command_after_one_that_failed_prints_nothing(school: Any) -> None:
    done = school.inv("photos", "check", "--json", "status", "--json", check=False)
    assert json.loads(done.stdout)["error"]["code"] == "aws"


def test_two_commands_print_an_object_each(school: Any) -> None:
    done = school.inv("migrate", "--plan", "--json", "status", "--json")
    first, end = json.JSONDecoder().raw_decode(done.stdout)
    assert (first["pending"], json.loads(done.stdout[end:])["target"]) == ([], "local")


def test_the_page_names_every_schema_and_every_command_that_ends_with_2() -> None:
    page = (ROOT / "docs" / "json.md").read_text()
    schemas = set(re.findall(r"\(schemas/(.+?)\.json\)", page))
    assert schemas == {file.stem for file in SCHEMAS.glob("*.json")}
    table = page.partition("These commands end with 2")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)) >= {
        f"`inv {case.name}`" for case in CASES if case.status == 2
    }


def test_the_page_shows_what_is_printed(school: Any) -> None:
    page = (ROOT / "docs" / "json.md").read_text()
    for command, shown in re.findall(r"^\$ inv (.+?)\n(\{.*?^\})", page, re.MULTILINE | re.DOTALL):
        printed = school.inv(*command.split(), check=False).stdout
        assert printed.replace(school.database.name, "eduguard").strip() == shown
