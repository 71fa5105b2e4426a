"""What all commands share: the settings of a command, its database, and the words of its flags."""

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from eduguard.commands.executor import plain_settings, stated_settings
from eduguard.commands.permission import tighten
from eduguard.commands.settings_file import explain_failures, hide_secrets, name_files
from eduguard.errors import LEFT, EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings, load_settings
from eduguard.terminal import print_step, record

if TYPE_CHECKING:
    from psycopg import Connection

    from eduguard.postgres import Database
    from eduguard.schools import Place

_SHOWN = 5  # ids named in a message
ROOT = Path(__file__).resolve().parents[3]  # the checkout: the suite is installed editable
_ENVIRONMENT = dict(os.environ)  # as it was given; what the env_file adds for AWS comes later

COLLECTION = "only this one of the target's collections"
CONFIRM = "the database's name: consent where the target asks for it, for the whole command line"
CONFIRM_COLLECTION = "the collection's name, several with commas: consent where sync doubts that it is the right one"
JSON = "print one JSON object"
NEXT = "work on the database that `rebuild` made, before it is published"
SCHOOL = "only this school: its id"
TO = "the number of the migration to stop at, such as 0002"
WAIT = "seconds to wait for a row or table that somebody else holds; without it, for ever"
USERS = "let all faces of a student count together: a Rekognition user each, by external image id"
YES = "do not ask before photos leave this machine"

explain_failures()
hide_secrets()


def settings_of(c: Context, collection: str = "", school: str = "", *, wait: float = math.inf) -> Settings:
    """Return the settings of this command, narrowed to the collection or school of a flag; set how long it waits."""
    if wait != math.inf:
        from eduguard.postgres.waits import end_waits_after

        end_waits_after(wait)
    values, files = tighten(plain_settings(c), stated_settings(c)), name_files(c.config)
    return load_settings(values, root=ROOT, environment=_ENVIRONMENT, files=files).narrowed(
        school=school, collection=collection
    )


def chosen_database(settings: Settings, *, next: bool = False) -> "Database":
    """Return the live database of the target, or the next one."""
    from eduguard.targets import target_database

    live = target_database(settings)
    return live.next if next else live


def place_students(conn: "Connection", settings: Settings, students: Iterable[str]) -> "dict[str, Place]":
    """Return where the faces of each student are; read-only.

    Raises:
        EduguardError: for a student who does not exist, or is not in the school or collection that a flag named.
    """
    from eduguard.targets import all_places, target_places

    chosen = {place.collection for place in target_places(settings, conn)}
    places = all_places(settings).of_students(conn, students)
    if elsewhere := {student: place for student, place in places.items() if place.collection not in chosen}:
        named = ", ".join(f"{student} (in {place.collection})" for student, place in elsewhere.items())
        raise EduguardError(
            f"Not in {settings.only_collection or settings.school}: {named}",
            hint="Leave --collection and --school out: a student's school, or students.aws_collection_id, says where "
            "the faces are.",
        )
    return places


def places_of(conn: "Connection", settings: Settings, student: str) -> "list[Place]":
    """Return where a student's faces are: of one that the database does not know, any collection of the target."""
    from eduguard.targets import target_places

    if conn.execute("SELECT FROM students WHERE id = %s", [student]).rowcount:
        return [place_students(conn, settings, [student])[student]]
    return target_places(settings, conn)


def command_line() -> str:
    """Return the command as it was typed, for the mark in the database it makes."""
    return " ".join(["inv", *sys.argv[1:]])


def print_summary(name: str, settings: Settings, *, done: str) -> None:
    """Print what the database holds, the last line of a recipe, unless rows still hold the placeholder.

    Raises:
        EduguardError: with status 2, naming those rows, what is done all the same, and the command that mends it.
    """
    from eduguard.postgres import connect
    from eduguard.schools import count_school, list_placeholders

    database = chosen_database(settings)
    with connect(database, purpose="summary") as conn:
        students, faces, placeholders = count_school(conn)
        waiting = list_placeholders(conn, _SHOWN) if placeholders else []
    counts = {"students": students, "faces": faces, "placeholders": placeholders}
    record({"database": database.name, **counts, "waiting": waiting})
    if not placeholders:
        counted = f"{amount(students, 'student')}, {amount(faces, 'face')}, 0 placeholders"
        print_step(name, f"{database.name} is ready: {counted}")
        return
    more = f" and {placeholders - len(waiting)} more" if placeholders > len(waiting) else ""
    consent = [] if settings.target.protection == "open" else [f"--confirm {database.name}"]
    state, command = "without a face in their collection", " ".join(["inv enrol --yes", *consent, "sync-faces"])
    hint = "Enrol their photos and link them; the sample photos"
    if narrow := settings.school or settings.only_collection:
        state, hint, command = "not linked", f"Only {narrow} was synced; link the others", "inv sync-faces"
    raise EduguardError(
        f"{done} {placeholders} of {amount(faces, 'row')} of {database.name} {state}: {', '.join(waiting)}{more}",
        hint=f"{hint}: INVOKE_TARGET={settings.target.name} {command}",
        status=LEFT,
    )
