"""A school on which commands are run and interrupted: made once, reset before each run, and checked afterwards."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from eduguard import synced
from eduguard.aws.local_cloud import LocalCloud
from eduguard.postgres import Database, connect, execute_for, exists, read_value
from eduguard.rebuild import clones, mark
from judgement import State
from localcloud.credentials import Credentials
from localcloud.testing import RunningCloud
from wires import Fault, Turn, open_wires

ROOT = Path(__file__).resolve().parents[2]
INV = Path(sys.executable).parent / "inv"
BASE, OLDER = "faults-base", "faults-older"
_SECOND = "-2"  # the suffix of the second school's collection
_LONGEST_RUN = 120  # seconds
_END_OF_SESSION = 30.0  # seconds
# Times, and values that sync does not know when it adopts a face.
_VARYING = {"created_at", "indexed_at", "recorded_at", "quality_score"}
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name !~ '^_?yoyo'"
_APPLIED = "SELECT migration_id FROM _yoyo_migration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended, and what it sent through the wires."""

    code: int
    output: str
    errors: str
    counts: Mapping[str, int]
    is_struck: bool


class Place:
    """A database, a collection for each school and a bucket of one worker, on servers that all workers share."""

    def __init__(self, name: str, state_folder: Path, server: Database, cloud: LocalCloud) -> None:
        self.name, self.state_folder = name, state_folder
        self.live = replace(server.named(name.replace("-", "_")), target="local")
        self._access = cloud
        key = Credentials(access_key_id=cloud.access_key_id, secret_access_key=cloud.secret_access_key)
        self.cloud = RunningCloud(endpoint=cloud.endpoint, credentials=key)
        self.faces, self.bucket = self.cloud.client("rekognition"), self.cloud.client("s3")
        self.known_faces: dict[str, str] = {}
        self._numbers = count(1)

    def run(self, arguments: list[str], fault: Fault | None = None, *, is_direct: bool = False) -> Done:
        """Run a command through the wires, or as a user does on the local target, until its sessions have ended.

        Raises:
            TimeoutError: when it hangs, or the server does not finish its statements.
        """
        turn = Turn(fault)
        folder = self.state_folder / self.name
        with open_wires(folder, self.state_folder / "postgres" / "s", self.cloud.endpoint, turn) as wires:
            through = {
                "DATABASE_URL": f"postgresql://postgres@/{self.live.name}?host={wires.folder}&port=5432",
                "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": wires.endpoint,
                "INVOKE_TARGETS_LOCAL_S3_ENDPOINT": wires.endpoint,
                **{name.upper(): value for name, value in self._access.credentials.items()},
            }
            own = {
                "DATABASE_URL": self.live.shown_url,
                "INVOKE_STATE_FOLDER": str(self.state_folder),
                "INVOKE_TARGETS_LOCAL_COLLECTION": self.name,
                "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": self.name + _SECOND,
                "INVOKE_TARGETS_LOCAL_BUCKET": self.name,
                **({} if is_direct else through),
            }
            process = subprocess.Popen(
                [INV, *arguments], cwd=ROOT, env=_environment() | own, text=True, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            turn.begin(process)
            try:
                output, errors = process.communicate(timeout=_LONGEST_RUN)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise TimeoutError(f"{arguments} {fault}: has not ended within {_LONGEST_RUN} s") from error
        self._await_sessions(wires.pids)
        return Done(code=process.returncode, output=output, errors=errors, counts=turn.counts, is_struck=turn.is_struck)

    def _await_sessions(self, pids: list[int]) -> None:
        deadline = time.monotonic() + _END_OF_SESSION
        with connect(self.live.maintenance, purpose="tests") as conn:
            while read_value(conn, "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%s)", pids):
                if time.monotonic() > deadline:
                    raise TimeoutError("a session of a command that has ended goes on")
                time.sleep(0.01)

    def put_back(self, stage: "Stage") -> None:
        """Reset database, collection and bucket to a stage."""
        with connect(self.live.maintenance, purpose="tests") as conn:
            live = self.live
            for each in (live, live.next, live.previous, live.discarded, clones.draft_of(live)):
                execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", each)
            execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", live, live.aside(stage.database))
            if stage.previous:
                execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", live.previous, live.aside(stage.previous))
        for each in (live, live.previous) if stage.previous else (live,):
            self.mark(each)
        self._put_back_faces()
        self._put_back_photos()
        stage.change(self)

    def copy_base(self) -> None:
        """Make the live database a copy of the base's."""
        with connect(self.live.maintenance, purpose="tests") as conn:
            execute_for(conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self.live)
            execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", self.live, self.live.aside(BASE.replace("-", "_")))
        self.mark(self.live)

    def mark(self, database: Database) -> None:
        """Mark a database as made for the live one, because the mark of a copy is invalid; its collections differ."""
        with connect(database, purpose="tests") as conn, conn.transaction():
            mark.write_mark(conn, self.live, command="inv full", inputs=None, replaces=None, written={})
            synced.carry_over(conn, {})

    def _put_back_faces(self) -> None:
        present = self.faces.list_collections()["CollectionIds"]
        for suffix in ("", _SECOND):
            if self.name + suffix in present:
                self.faces.delete_collection(CollectionId=self.name + suffix)
            self.cloud.clone_collection(BASE + suffix, self.name + suffix)
        self.known_faces = self._list_faces()

    def _put_back_photos(self) -> None:
        if self.name not in {bucket["Name"] for bucket in self.bucket.list_buckets()["Buckets"]}:
            self.bucket.create_bucket(Bucket=self.name)
        wanted, found = self._list_photos(BASE), self._list_photos(self.name)
        for key in found.keys() - wanted.keys():
            self.bucket.delete_object(Bucket=self.name, Key=key)
        for key in [key for key, content in wanted.items() if found.get(key) != content]:
            self.bucket.copy_object(Bucket=self.name, Key=key, CopySource={"Bucket": BASE, "Key": key})

    def execute(self, statements: str) -> None:
        """Change rows of the live database."""
        with connect(self.live, purpose="tests") as conn:
            conn.execute(statements)

    def observe(self) -> State:
        """Return the present state; read-only."""
        faces = self._list_faces()
        owners = self.known_faces | faces
        with connect(self.live.maintenance, purpose="tests") as conn:
            live, previous = (exists(conn, each) for each in (self.live, self.live.previous))
            aside = [self.live.next, clones.draft_of(self.live)]
            unfinished = tuple(each.name for each in aside if exists(conn, each))
        return State(
            rows=_read_rows(self.live, owners) if live else None,
            previous=_read_rows(self.live.previous, owners) if previous else None,
            faces=faces,
            users=frozenset(self._list_users()),
            photos=self._list_photos(self.name),
            unfinished=unfinished,
        )

    def _list_faces(self) -> dict[str, str]:
        list_faces = self.faces.get_paginator("list_faces").paginate
        pages = chain.from_iterable(list_faces(CollectionId=self.name + suffix) for suffix in ("", _SECOND))
        return {face["FaceId"]: face["ExternalImageId"] for page in pages for face in page["Faces"]}

    def _list_users(self) -> list[str]:
        list_users = self.faces.get_paginator("list_users").paginate
        pages = chain.from_iterable(list_users(CollectionId=self.name + suffix) for suffix in ("", _SECOND))
        return [user["UserId"] for page in pages for user in page["Users"]]

    def _list_photos(self, bucket: str) -> dict[str, str]:
        pages = self.bucket.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", [])}


def _unchanged(_: Place) -> None:
    """Leave a school as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The state before a command: copies of databases, and the changes made to them."""

    database: str = "faults_base"
    previous: str = ""
    change: Callable[[Place], None] = _unchanged


def _environment() -> dict[str, str]:
    dropped = re.compile(r"INVOKE_|AWS_|PG|DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not dropped.match(name)}
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    return kept | files | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def _read_rows(database: Database, owners: Mapping[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    with connect(database, purpose="tests") as conn:
        for (table,) in conn.execute(_TABLES).fetchall():
            for (row,) in conn.execute(f'SELECT to_jsonb(t) FROM "{table}" t'):
                rows[table, str(row.get("id", row))] = _fixed(row, owners)
        for (name,) in conn.execute(_APPLIED):
            rows["migration", name] = {}
    return rows


def _fixed(row: Mapping[str, Any], owners: Mapping[str, str]) -> dict[str, Any]:
    fixed = {column: value for column, value in row.items() if column not in _VARYING}
    return fixed | ({"face_id": owners.get(row["face_id"], row["face_id"])} if "face_id" in row else {})
