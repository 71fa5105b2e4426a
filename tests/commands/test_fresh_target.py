"""A target that has nothing yet: commands first name each missing part, with a command that makes it and works."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eduguard.aws import open_bucket, open_collection
from eduguard.postgres import Database, connect, execute_for, exists

Inv = Callable[..., subprocess.CompletedProcess[str]]


class Staging:
    """A target `staging` of a settings file, by URL: this test's database, and names that no other test uses."""

    def __init__(self, inv: Inv, database: Database, access: dict[str, Any], file: Path) -> None:
        endpoint = access["endpoint"]
        self.database, self.name = database, database.name.replace("_", "-")
        file.write_text(
            f"target: staging\ntargets: {{staging: {{rekognition_endpoint: '{endpoint}', s3_endpoint: '{endpoint}', "
            f"bucket_region: us-east-1, collection: {self.name}, collections: {{school-002: {self.name}-2}}, "
            f"bucket: {self.name}, requests_per_second: null}}}}\n"
        )
        self._inv, self._file = inv, file
        self._keys = {name.upper(): value for name, value in access["credentials"].items()}
        self.collection = open_collection(self.name, **access)
        self.bucket = open_bucket(self.name, **access)

    def inv(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._inv(*arguments, check=check, INVOKE_RUNTIME_CONFIG=str(self._file), **self._keys)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a message named it."""
        target, program, *arguments = shlex.split(command)
        assert (target, program) == ("INVOKE_TARGET=staging", "inv")
        return self.inv(*arguments)

    def is_untouched(self) -> bool:
        with connect(self.database.maintenance, purpose="tests") as conn:
            beside = [exists(conn, each) for each in (self.database.next, self.database.previous)]
        return not any(beside) and self.collection.describe() is None and not self.bucket.exists()


@pytest.fixture
def staging(inv: Inv, database: Database, cloud_access: dict[str, Any], tmp_path: Path) -> Staging:
    return Staging(inv, database, cloud_access, tmp_path / "staging.yaml")


@pytest.mark.sampled
@pytest.mark.parametrize("has_database", [True, False], ids=["empty database", "no database"])
def test_full_on_a_fresh_target_names_what_is_missing_and_the_commands_make_it(
    staging: Staging, has_database: bool
) -> None:
    if has_database:
        with connect(staging.database.maintenance, purpose="tests") as conn:
            execute_for(conn, "CREATE DATABASE {} TEMPLATE template0", staging.database)
    done = staging.inv("full", "--confirm", staging.database.name, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: Nothing was built or published. Target staging lacks:\n")
    lines = dict(re.findall(r"^  (\w+) \S+ .*: (INVOKE_TARGET=staging inv .*)$", done.stderr, flags=re.MULTILINE))
    assert list(lines) == ["collection", "bucket"] + ([] if has_database else ["database"])
    assert staging.is_untouched()
    assert lines["collection"] == lines["bucket"]
    assert "24 faces indexed" in staging.run(lines["bucket"]).stdout
    last = lines.get("database", f"INVOKE_TARGET=staging inv full --confirm {staging.database.name}")
    assert "is ready: 8 students, 24 faces, 0 placeholders" in staging.run(last).stdout


def test_undo_is_named_only_where_there_is_a_database_to_bring_back(inv: Inv, database: Database) -> None:
    first, second = inv("reset").stdout, inv("reset").stdout
    assert f"{database.next.name} made\n" in first or f"{database.next.name} cloned from a template\n" in first
    assert "inv undo" not in first
    assert f" beside {database.name}\n" in second
    assert "; `inv undo` brings the one before back\n" in second


@pytest.mark.slow
def test_a_target_with_faces_of_some_students_never_ends_ready(staging: Staging) -> None:
    staging.inv("enrol", "--yes", "--confirm", staging.database.name)
    (faces,) = staging.collection.list_faces()
    kept = {"student-001-photo-1", "student-002-photo-1"}
    staging.collection.delete_faces([face.face_id for face in faces if face.external_image_id not in kept])
    done = staging.inv("full", "--confirm", staging.database.name, check=False)
    assert done.returncode == 2
    assert " is ready" not in done.stdout
    assert "error: Published. 16 of 24 rows" in done.stderr
    assert "student-001-photo-2" in done.stderr
    mend = re.search(r"INVOKE_TARGET=staging inv .*", done.stderr)
    assert mend
    assert "16 synced" in staging.run(mend[0]).stdout
    assert "24 faces, 0 placeholders" in staging.inv("seed-full", "--confirm", staging.database.name).stdout


def test_full_says_at_once_that_the_server_does_not_answer(staging: Staging, inv: Inv) -> None:
    done = inv(
        "full",
        check=False,
        **staging._keys,
        DATABASE_URL="postgresql://127.0.0.1:9/school",
        INVOKE_RUNTIME_CONFIG=str(staging._file),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Cannot connect to postgresql://127.0.0.1:9/" in done.stderr


@pytest.mark.slow
def test_migrate_on_a_fresh_machine_makes_the_database(inv: Inv, database: Database) -> None:
    refused = inv("seed", check=False)
    assert "Run `inv migrate` (empty) or `inv full`" in refused.stderr
    done = inv("migrate", "--to", "3")
    assert f"migrate    {database.name}: made on " in done.stdout
    assert "4 applied, 0000_initial_schema to 0003_" in done.stdout
    assert "2 applied" in inv("migrate").stdout
    assert "nothing is pending" in inv("migrate").stdout
    assert "129 inserted" in inv("seed").stdout
    assert "is ready" in inv("reset").stdout, "it is ours: nothing is asked"


def test_a_migration_that_fails_on_a_fresh_machine_leaves_no_database(
    inv: Inv, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "0000_broken.sql").write_text("CREATE TABLE a (x nosuchtype);\n")
    (tmp_path / "0000_broken.rollback.sql").write_text("DROP TABLE a;\n")
    done = inv("migrate", check=False, INVOKE_MIGRATIONS_FOLDER=str(tmp_path))
    assert (done.returncode, "0000_broken.sql:1" in done.stderr) == (1, True)
    with connect(database.maintenance, purpose="tests") as conn:
        assert not exists(conn, database)
    assert "6 applied" in inv("migrate").stdout
