"""Run the commands that fix what the doctor found, if the target's protection lets them run without its name."""

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.main import program

from eduguard.commands.executor import SuiteExecutor
from eduguard.commands.permission import Kind, kind_of
from eduguard.errors import EduguardError
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note

if TYPE_CHECKING:
    from eduguard.checks import Command, Finding

# Each command may need what the commands before it make.
_ORDER = ("full", "migrate", "seed-full", "enrol", "reindex", "sync-faces")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """The commands that fix findings, those that the protection forbids, and what only a person can fix."""

    commands: tuple["Command", ...]
    forbidden: tuple["Command", ...]
    left: tuple["Finding", ...]

    def __str__(self) -> str:
        parts = {
            "Commands that mend it": map(str, self.commands),
            "Not run, because they change what the target protects": map(str, self.forbidden),
            "For you to mend": (f"{each.step}: {each.text}: {each.remedy or 'not known'}" for each in self.left),
        }
        return "\n".join("\n  ".join([f"{name}:", *lines]) for name, found in parts.items() if (lines := list(found)))


def plan_mending(findings: Iterable["Finding"], settings: Settings) -> Mending:
    """Sort the remedies of findings: run, forbidden, or left to a person; a pure function."""
    wrong = [each for each in findings if each.verdict != "ok"]
    wanted = {str(command): command for each in wrong for command in each.commands}
    ordered = sorted(wanted.values(), key=lambda each: _ORDER.index(each.name))
    is_open = settings.target.protection == "open"
    allowed = [each for each in ordered if is_open or kind_of(each.name, each.flags) in (Kind.READ, Kind.OWN)]
    return Mending(
        commands=tuple(allowed),
        forbidden=tuple(each for each in ordered if each not in allowed),
        left=tuple(each for each in wrong if not each.commands),
    )


def agrees(plan: Mending, *, is_yes: bool) -> bool:
    """Show the commands that would run, and ask.

    Raises:
        EduguardError: if there is something to run, but nobody to ask and no --yes.
    """
    print_note(str(plan))
    if not plan.commands or is_yes:
        return bool(plan.commands)
    answer = ask(f"Run these {len(plan.commands)} commands? [y/N]" if len(plan.commands) > 1 else "Run it? [y/N]")
    if answer is None:
        raise EduguardError("Nothing was run: nobody was there to ask", hint="inv doctor --fix --yes")
    return answer == "y"


def run_commands(commands: Sequence["Command"], **flags: str) -> dict[str, str | None]:
    """Run commands, each with those of the flags that it takes; return each command's error, or None if it succeeded.

    A command still asks its own questions. If one fails, the others run all the same.
    """
    failures: dict[str, str | None] = {}
    for command in commands:
        print_note(f"-- {command}")
        has = inspect.signature(program.collection[command.name].body).parameters
        given: dict[str, Any] = {name: value for name, value in flags.items() if value and name in has}
        failures[str(command)] = None
        try:
            SuiteExecutor(program.collection, program.config, program.core).execute(
                (command.name, {**given, **command.flags})
            )
        except Exit as failure:
            failures[str(command)] = failure.message or f"exit status {failure.code}"
            print_note(failures[str(command)] or "")
    return failures
