"""What all commands share: the settings of a command, its database, and the words of its flags."""

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from eduguard.commands.executor import plain_settings
from eduguard.commands.settings_file import explain_failures, name_files
from eduguard.postgres.waits import end_waits_after
from eduguard.settings import Settings, load_settings
from eduguard.terminal import print_step

if TYPE_CHECKING:
    from eduguard.postgres import Database

ROOT = Path(__file__).resolve().parents[3]  # the checkout: the suite is installed editable

COLLECTION = "the collection, in place of the target's own"
CONFIRM = "the database's name: consent to replace one that is not plainly ours"
JSON = "print one JSON object"
NEXT = "work on the database that `rebuild` made, before it is published"
TO = "the number of the migration to stop at, such as 0002"
WAIT = "seconds to wait for a row or table that somebody else holds; without it, for ever"
USERS = "let all faces of a student count together: a Rekognition user each, by external image id"
YES = "do not ask before photos leave this machine"

explain_failures()


def settings_of(c: Context, collection: str = "", *, wait: float = math.inf) -> Settings:
    """Return the settings of this command, with the collection that a flag named; set how long it waits for locks."""
    end_waits_after(wait)
    values, files = plain_settings(c), name_files(c.config)
    return load_settings(values, root=ROOT, environment=os.environ, files=files).with_collection(collection)


def chosen_database(settings: Settings, *, next: bool = False) -> "Database":
    """Return the live database of the target, or the next one."""
    from eduguard.targets import target_database

    live = target_database(settings)
    return live.next if next else live


def command_line() -> str:
    """Return the command as it was typed, for the mark in the database it makes."""
    return " ".join(["inv", *sys.argv[1:]])


def print_summary(name: str, settings: Settings) -> None:
    """Print what the database holds: the last line of a recipe."""
    from eduguard.postgres import connect
    from eduguard.sync.apply import count_school

    database = chosen_database(settings)
    with connect(database, purpose="summary") as conn:
        students, faces, placeholders = count_school(conn)
    print_step(name, f"{database.name} is ready: {students} students, {faces} faces, {placeholders} placeholders")
