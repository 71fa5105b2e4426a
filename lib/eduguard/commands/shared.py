"""What all tasks share: the settings of a command, the words of its flags, and steps imported when they are needed."""

import os
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from invoke.context import Context

from eduguard.commands.executor import plain_settings, runtime_file
from eduguard.commands.settings_file import explain_failures, name_files
from eduguard.settings import Settings, load_settings
from eduguard.terminal import print_step

if TYPE_CHECKING:
    from eduguard.sync import Plan

ROOT = Path(__file__).resolve().parents[3]  # the checkout: the suite is installed editable
PROJECT_FILE = ROOT / "invoke.yaml"

COLLECTION = "the collection, in place of the target's own"
CONFIRM = "the database's name: consent to replace one that is not plainly ours"
YES = "do not ask before photos leave this machine"
USERS = "let all faces of a student count together: a Rekognition user each, by external image id"
JSON = "print one JSON object"
MOST_ITEMS = 20  # of a plan, unless all are asked for

explain_failures(PROJECT_FILE, runtime_file)


def settings_of(c: Context, collection: str = "") -> Settings:
    """Return the settings of this command, with the collection that a flag named."""
    values, files = plain_settings(c), name_files(PROJECT_FILE, runtime_file())
    return load_settings(values, root=ROOT, environment=os.environ, files=files).with_collection(collection)


def command_line() -> str:
    """Return the command as it was typed, for the mark in the database it makes."""
    return " ".join(["inv", *sys.argv[1:]])


def plan_printer(*, verbose: bool, quiet: bool) -> Callable[[Settings, "Plan"], None]:
    """Return what shows a plan before it is applied: its items, as many as fit."""

    def show(settings: Settings, plan: "Plan") -> None:
        limit = 0 if quiet else plan.shown if verbose else MOST_ITEMS
        for item in islice(plan.items(), limit):
            print_step("plan", item)
        if plan.shown > limit and not quiet:
            print_step("plan", f"... and {plan.shown - limit} more of {settings.target.collection} (--verbose)")

    return show


def workflow() -> ModuleType:
    """Import the steps when a task needs them: `inv --list` does not."""
    from eduguard.commands import workflow as steps

    return steps


def recognition() -> ModuleType:
    """Import the steps that handle photos and faces when a task needs them."""
    from eduguard.commands import recognition_workflow as steps

    return steps
