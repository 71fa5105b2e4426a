"""What all commands share: reading settings, choosing the database, and the help texts of common flags."""

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
_ENVIRONMENT = dict(os.environ)  # before the env_file adds its variables for AWS

COLLECTION = "only this collection of the target"
CONFIRM = "the database's name: consents to the whole command line, where the target asks for consent"
CONFIRM_COLLECTION = "the collection's name, several with commas: consents where sync doubts that it is the right one"
JSON = "print one JSON object"
NEXT = "work on the database that `rebuild` made, before it is published"
SCHOOL = "only the school with this id"
TO = "the number of the migration to stop at, such as 0002"
WAIT = "seconds to wait for a row or table that another session locks; without it, wait for ever"
USERS = "let all faces of a student count together: a Rekognition user each, by external image id"
YES = "do not ask before photos leave this machine"

explain_failures()
hide_secrets()


def settings_of(c: Context, collection: str = "", school: str = "", *, wait: float = math.inf) -> Settings:
    """Return this command's settings, narrowed to the flag's collection or school; set how long to wait for locks."""
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
    """Return the place of each student's faces; read-only.

    Raises:
        EduguardError: for a student who does not exist, or is not in the school or collection that a flag names.
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
    """Return where a student's faces are; for an unknown student, every collection of the target."""
    from eduguard.targets import target_places

    if conn.execute("SELECT FROM students WHERE id = %s", [student]).rowcount:
        return [place_students(conn, settings, [student])[student]]
    return target_places(settings, conn)


def command_line() -> str:
    """Return the command as it was typed, for the mark in the database that it makes."""
    return " ".join(["inv", *sys.argv[1:]])


def print_summary(name: str, settings: Settings, *, done: str) -> None:
    """Print what the database holds as a recipe's last line, unless rows still hold the placeholder.

    Raises:
        EduguardError: with status 2, if such rows exist; names them, what is done all the same, and the command that
            fixes it.
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
