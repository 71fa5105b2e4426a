"""What all tasks share: the settings of a command, the words of its flags, and steps imported when they are needed."""

import os
import sys
from pathlib import Path
from types import ModuleType

from invoke.context import Context

from eduguard.invocation import plain_settings
from eduguard.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]  # the checkout: the suite is installed editable

COLLECTION = "the collection, in place of the target's own"
CONFIRM = "the database's name: consent to replace one that is not plainly ours"
YES = "do not ask before photos leave this machine"
USERS = "let all faces of a student count together: a Rekognition user each, by external image id"
JSON = "print one JSON object"


def settings_of(c: Context, collection: str = "") -> Settings:
    """Return the settings of this command, with the collection that a flag named."""
    return load_settings(plain_settings(c), root=ROOT, environment=os.environ).with_collection(collection)


def command_line() -> str:
    """Return the command as it was typed, for the mark in the database it makes."""
    return " ".join(["inv", *sys.argv[1:]])


def workflow() -> ModuleType:
    """Import the steps when a task needs them: `inv --list` does not."""
    from eduguard import workflow as steps

    return steps


def recognition() -> ModuleType:
    """Import the steps that handle photos and faces when a task needs them."""
    from eduguard import recognition_workflow as steps

    return steps
