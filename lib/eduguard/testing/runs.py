"""One process of a pytest run: what it makes for its tests, and how it cleans up after earlier runs."""

import secrets
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from eduguard.aws import local_cloud
from eduguard.aws.copies import Copies
from eduguard.errors import EduguardError
from eduguard.postgres import APPLICATION, Database, connect, execute_for
from eduguard.rebuild import clones, lock
from eduguard.settings import Settings
from eduguard.targets import cloud_folder, local_cloud_variables
from eduguard.testing.cloud import SchoolBucket, SchoolCollection
from eduguard.testing.databases import SchoolDatabase, rolled_back
from eduguard.testing.project import open_project
from eduguard.testing.recipes import Recipe
from eduguard.testing.templates import Template, ensure_template

_PURPOSE = "test run"  # with the run's id: this session tells other runs that the run is active
_ID_LENGTH = 8
_OWN = """
SELECT datname FROM pg_database
WHERE starts_with(datname, %s) AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
"""
_RUNS = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE starts_with(application_name, %s)"


class Run:
    """Makes databases, collections and buckets for the tests of one process, and removes them."""

    def __init__(self, settings: Settings, base: Database, session: ExitStack, run: str, worker: str) -> None:
        self.settings = settings
        self._base, self._id, self._worker = base, run, worker
        self.conn = session.enter_context(connect(base.maintenance, purpose=f"{_PURPOSE} {run}"))
        cloud = local_cloud.ensure_running(cloud_folder(settings), models=settings.face_models)
        target = settings.target
        self._copies = Copies(cloud, region=target.region, bucket_region=target.bucket_region)
        self._variables = local_cloud_variables(settings)
        self._templates: dict[Recipe, Template | EduguardError] = {}
        self._shared: dict[Recipe, SchoolDatabase] = {}
        self._numbers = count(1)
        self._prefix = f"{base.name}_run_"
        # Runs on another server may use this local cloud too, and cannot know which of our runs are active.
        self._cloud_prefix = f"eduguard-tests-run-{zlib.crc32(base.shown_url.encode()):08x}-"
        self._session = session

    def template(self, recipe: Recipe) -> Template:
        """Return the template of a recipe, and make it if there is none; a failed recipe is not tried again."""
        if recipe not in self._templates:
            try:
                self._templates[recipe] = ensure_template(
                    self.conn,
                    self._base,
                    self.settings,
                    recipe,
                    self._copies,
                    is_alone=self._list_runs() == {self._id},
                )
            except EduguardError as error:
                self._templates[recipe] = error
        found = self._templates[recipe]
        if isinstance(found, EduguardError):
            raise found
        return found

    def make_database(self, recipe: Recipe) -> SchoolDatabase:
        """Clone the template of a recipe."""
        template = self.template(recipe)
        made = self._base.aside(f"{self._prefix}{self._id}_{self._worker}_{next(self._numbers)}")
        clones.clone(self.conn, template.kept, made)
        return SchoolDatabase(database=made)

    def drop(self, database: SchoolDatabase) -> None:
        """Drop the database of a test, unless it is kept, even if the test has left sessions open in it."""
        database.close()
        if not database.is_kept:
            execute_for(self.conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database.database)

    @contextmanager
    def transaction(self, recipe: Recipe) -> Iterator[SchoolDatabase]:
        """Yield the shared database in a transaction that is rolled back; drop the database if a test has spoilt it."""
        if recipe not in self._shared:
            self._shared[recipe] = self.make_database(recipe)
            self._shared[recipe].is_shared = True
        database = self._shared[recipe]
        try:
            with rolled_back(database):
                yield database
        except BaseException:
            self.drop(self._shared.pop(recipe))
            raise

    def make_collection(self, recipe: Recipe) -> SchoolCollection:
        """Copy the collections of a recipe's template."""
        template, name = self.template(recipe), self._cloud_name()
        names = {school: f"{name}-{school}" if school else name for school in template.collections}
        for school, source in template.collections.items():
            self._copies.copy_collection(source, names[school])
        others = {school: copy for school, copy in names.items() if school}
        return SchoolCollection(name=name, by_school=others, variables=self._variables, _copies=self._copies)

    def delete_collection(self, collection: SchoolCollection) -> None:
        """Delete the collections of a test."""
        self._copies.delete_collections(collection.names)

    def make_bucket(self, recipe: Recipe) -> SchoolBucket:
        """Copy the bucket of a recipe's template."""
        name = self._cloud_name()
        self._copies.copy_bucket(self.template(recipe).bucket, name)
        return SchoolBucket(name=name, variables=self._variables, _copies=self._copies)

    def delete_bucket(self, bucket: SchoolBucket) -> None:
        """Delete the bucket of a test."""
        self._copies.delete_bucket(bucket.name)

    def clear_others(self) -> None:
        """Drop what ended runs have left: the databases of failed tests, and everything else after a crash."""
        with lock.hold_lock(self._base, patience=60):
            alive = self._list_runs()
            for (name,) in self.conn.execute(_OWN, [self._prefix]).fetchall():
                if name.removeprefix(self._prefix)[:_ID_LENGTH] not in alive:
                    execute_for(self.conn, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self._base.aside(name))
            left = [name for name in self._copies.list_collections() if self._is_left(name, alive)]
            self._copies.delete_collections(left)
            for name in self._copies.list_buckets():
                if self._is_left(name, alive):
                    self._copies.delete_bucket(name)

    def close(self) -> None:
        """Drop the shared databases, and end the session."""
        for database in self._shared.values():
            self.drop(database)
        self._session.close()

    def _is_left(self, name: str, alive: set[str]) -> bool:
        return name.startswith(self._cloud_prefix) and name.removeprefix(self._cloud_prefix)[:_ID_LENGTH] not in alive

    def _cloud_name(self) -> str:
        return f"{self._cloud_prefix}{self._id}-{self._worker}-{next(self._numbers)}"

    def _list_runs(self) -> set[str]:
        begins = f"{APPLICATION} {_PURPOSE} "
        return {name.removeprefix(begins) for (name,) in self.conn.execute(_RUNS, [begins]).fetchall()}


def open_run(folder: Path, run: str, worker: str) -> Run:
    """Start this process's part of a run, and remove what ended runs have left.

    Args:
        folder: the folder of the project.
        run: the id that all processes of one run share; empty if this is the only process.
        worker: the name of this process within the run.

    Raises:
        EduguardError: if tests may not work on the project's target.
    """
    settings, database = open_project(folder)
    session = ExitStack()
    with ExitStack() as on_failure:
        on_failure.callback(session.close)
        base = database.named(f"{database.name}_tests")
        opened = Run(settings, base, session, (run or secrets.token_hex())[:_ID_LENGTH], worker)
        opened.clear_others()
        on_failure.pop_all()
    return opened
