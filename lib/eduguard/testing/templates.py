"""Databases, collections and buckets that are filled once, and copied for each test."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.postgres import Database, exists
from eduguard.rebuild import clones, lock
from eduguard.testing.recipes import Recipe, hash_recipe
from eduguard.variables import variable_name

if TYPE_CHECKING:
    from psycopg import Connection

    from eduguard.aws.copies import Copies
    from eduguard.settings import Settings

_KEPT = 8  # the newest templates
_PATIENCE = 3600.0  # seconds: another process may be drawing and indexing photos


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the tests of one recipe start from."""

    kept: clones.Kept

    @property
    def collections(self) -> Mapping[str, str]:
        """The collections by school; an empty text is the key of the school that the settings do not name."""
        return dict(self.kept.facts["collections"])

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return str(self.kept.facts["bucket"])


def ensure_template(
    conn: "Connection", base: Database, settings: "Settings", recipe: Recipe, copies: "Copies", *, is_alone: bool
) -> Template:
    """Return the template of a recipe, and make it if there is none; other processes wait meanwhile.

    Args:
        conn: a connection to the server.
        base: the database whose name is the prefix of all names and the name of the lock.
        settings: the settings of the project.
        recipe: the content of the template.
        copies: the local cloud.
        is_alone: whether no other run is active; then surplus templates are dropped.

    Raises:
        EduguardError: with the output of `inv`, if the template cannot be made.
    """
    key = hash_recipe(recipe, settings)
    template = base.aside(f"{base.name}_template_{key}")
    if found := _find(conn, base, template, copies):
        return found
    with lock.hold_lock(base, patience=_PATIENCE):
        if found := _find(conn, base, template, copies):
            return found
        if exists(conn, template):  # the local cloud has lost the faces that it was synced with
            clones.drop(conn, template)
        facts = _build(base, settings, recipe, key, copies)
        comment = json.dumps({**facts, "made_at": time.time(), "size": clones.read_size(conn, building(base))})
        clones.finish_draft(conn, building(base), template, comment)
        if is_alone:
            _retire(conn, base, copies)
    return Template(kept=clones.Kept(database=template, facts=json.loads(comment)))


def building(base: Database) -> Database:
    """Return the database that `inv full` fills before it becomes a template."""
    return base.aside(f"{base.name}_new")


def _find(conn: "Connection", base: Database, template: Database, copies: "Copies") -> Template | None:
    for kept in clones.list_aside(conn, base, template.name).kept:
        found = Template(kept=kept)
        if set(found.collections.values()) <= copies.list_collections() and found.bucket in copies.list_buckets():
            return found
    return None


def _build(base: Database, settings: "Settings", recipe: Recipe, key: str, copies: "Copies") -> dict[str, object]:
    """Run `inv full` as a user does, with a database, collections and a bucket for this template alone."""
    target, name = settings.target, f"eduguard-tests-{key}"
    collections = {"": name} | {school: f"{name}-{school}" for school in target.collections}
    of_schools = {("collections", school): each for school, each in collections.items() if school}
    of_target = {("collection",): name, ("bucket",): name} | of_schools
    with tempfile.TemporaryDirectory() as folder:
        own = {variable_name(("targets", target.name, *path)): value for path, value in of_target.items()}
        own |= {"DATABASE_URL": building(base).url, "INVOKE_TARGET": target.name}
        own["INVOKE_SEED_FOLDER"] = str(_make_fixtures(recipe, Path(folder) / "school", settings, own))
        copies.client("s3").create_bucket(Bucket=name)  # `inv full` does not make a bucket for fixtures without photos
        _inv(settings, own, "full", "--yes")
    there = copies.list_collections()
    return {"collections": {school: each for school, each in collections.items() if each in there}, "bucket": name}


def _make_fixtures(recipe: Recipe, folder: Path, settings: "Settings", own: Mapping[str, str]) -> Path:
    world = recipe.world
    if world is None:
        return recipe.folder
    counts = [f"--students={world.students}", f"--schools={world.schools}", f"--seed={world.seed}"]
    _inv(settings, own, "generate", str(folder), *counts, *(["--photos"] if world.photos else []))
    return folder


def _inv(settings: "Settings", own: Mapping[str, str], *arguments: str) -> None:
    """Run a command in its own process, so that changes by the test suite to this process do not affect it."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=settings.root,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EduguardError(f"`inv {' '.join(arguments)}` made no template of a school:\n{done.stderr.strip()}")


def _retire(conn: "Connection", base: Database, copies: "Copies") -> None:
    for old in clones.list_aside(conn, base, f"{base.name}_template_").kept[_KEPT:]:
        clones.drop(conn, old.database)
        template = Template(kept=old)
        copies.delete_collections(template.collections.values())
        copies.delete_bucket(template.bucket)
