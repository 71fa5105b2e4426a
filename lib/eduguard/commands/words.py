"""Support commands of two words, and positional words after a command: Invoke's parser knows neither.

Invoke reads its own flags, loads tasks.py, and then looks for tasks among the remaining words. In between, this module
rewrites those words: `photos check` becomes `photos.check`, the name of the task in Invoke's collections, and a
positional word gets its flag.
"""

import re
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.main import program
from invoke.parser.context import ParserContext as Flags
from invoke.tasks import Task

from eduguard.commands.executor import exit_on_failure, failing_in_json, spoken
from eduguard.commands.help import print_commands, print_help
from eduguard.errors import UsageError, suggest

_HELP = "--help"


@dataclass(frozen=True, slots=True)
class Form:
    """The words after a command, such as `STUDENT PHOTO…`: … repeats the last word, brackets make all optional."""

    text: str

    @property
    def names(self) -> list[str]:
        """Return the names of the words."""
        return re.findall(r"[A-Z]+", self.text)

    def name_of(self, number: int) -> str | None:
        """Return the name of the word at a position from 0, or None if no word may be there."""
        if number < len(self.names):
            return self.names[number]
        return self.names[-1] if "…" in self.text else None

    def is_demanded(self, number: int) -> bool:
        """Say whether a word is required here; then it is taken even if it looks like a command."""
        return not self._is_optional and number < len(self.names) - ("…" in self.text)

    def name_missing(self, given: int) -> str | None:
        """Return the name of the first missing word after the given ones, or None."""
        return self.names[given] if given < len(self.names) and (given or not self._is_optional) else None

    @property
    def _is_optional(self) -> bool:
        return self.text.startswith("[")


class Command(Task[Any]):
    """A task with positional words: each word sets the parameter of the same name in lower case."""

    def __init__(self, body: Any, *, words: str, **options: Any) -> None:
        super().__init__(body, positional=(), **options)
        self.form = Form(words)


def accept_forms(namespace: Collection) -> None:
    """Rewrite the words that Invoke still has to parse, while it loads the module of this namespace.

    No task of the namespace gets short flags, whichever program loads it.

    Raises:
        Exit: after printing help, or in place of a UsageError.
    """
    tasks = tasks_of(namespace)
    for each in tasks.values():
        each.auto_shortflags = False  # so that `-h` is help after every command, and not the short form of a flag
    if "core" not in vars(program):
        return
    words, asked = program.core.unparsed, program.args.help
    if words[:1] == ["help"] and words[1:]:
        asked.value, words[:] = words[1], words[2:]
    if words[:1] == ["completion"]:
        _complete(words[1:], tasks)
        raise Exit
    if words == ["help"] or not (words or asked.value or _is_for_invoke()):
        print_commands(tasks)
        raise Exit
    with failing_in_json(is_wanted="--json" in words), exit_on_failure():
        if isinstance(asked.value, str):
            words[:] = [_dotted(_take_name(deque([asked.value, *words]), tasks)), _HELP]
        else:
            words[:] = arrange(words, tasks, program.initial_context)
    if words[1:] == [_HELP]:
        _print_help(spoken(words[0]), tasks[spoken(words[0])])
        raise Exit


def tasks_of(namespace: Collection) -> dict[str, Task[Any]]:
    """Return all tasks by name as users type it: `photos check`."""
    return {spoken(name): namespace[name] for name in namespace.task_names}


def _complete(words: list[str], tasks: Mapping[str, Task[Any]]) -> None:
    from eduguard.commands import completion

    with exit_on_failure():
        if words == ["words"]:
            completion.print_words(tasks, _flags)
        elif len(words) == 1 and words[0] in completion.SCRIPTS:
            sys.stdout.write(completion.SCRIPTS[words[0]])
        else:
            raise UsageError("inv completion needs the name of a shell", hint="inv completion bash, or zsh, or fish")


def _is_for_invoke() -> bool:
    return any(program.args[flag].value for flag in ("list", "complete"))


def arrange(words: Iterable[str], tasks: Mapping[str, Task[Any]], core: Flags) -> list[str]:
    """Return the words of a command line in the form that Invoke parses; a pure function.

    Args:
        words: the commands, each with its words and flags.
        tasks: by name; a name of two words has a space.
        core: Invoke's own flags, which may be anywhere.

    Raises:
        EduguardError: naming the command and its form.
    """
    left, arranged = deque(words), list[str]()
    while left:
        name = _take_name(left, tasks)
        arguments = _Arguments(name, tasks, core).take(left)
        if _HELP in arguments:
            return [_dotted(name), _HELP]
        arranged += [_dotted(name), *arguments]
    return arranged


def split_dotted(left: deque[str], tasks: Iterable[str]) -> None:
    """Split a first word such as `photos.check`, Invoke's own way to write a name of two words."""
    group, _, second = left[0].partition(".")
    if second and any(name.startswith(f"{group} ") for name in tasks):
        left.popleft()
        left.extendleft((second, group))


def _take_name(left: deque[str], tasks: Iterable[str]) -> str:
    split_dotted(left, tasks)
    word = left.popleft()
    choices = sorted(name.partition(" ")[2] for name in tasks if name.startswith(f"{word} "))
    if not choices:
        if word in tasks:
            return word
        hint = suggest(word, tasks, "`inv help` lists the commands.", form="`inv {}`")
        raise UsageError(f"inv {word}: there is no such command", hint=hint)
    if left and left[0] in choices:
        return f"{word} {left.popleft()}"
    listed = "There are: " + ", ".join(f"`inv {word} {choice}`" for choice in choices)
    raise UsageError(
        f"inv {word} {left[0]}: there is no such command" if left else f"inv {word} is not the whole of a command",
        hint=suggest(left[0], choices, listed, form=f"`inv {word} {{}}`") if left else listed,
    )


class _Arguments:
    """The arguments of one command: flags with their values, and words, each of which gets its flag."""

    def __init__(self, name: str, tasks: Mapping[str, Task[Any]], core: Flags) -> None:
        task = tasks[name]
        self._name, self._core, self._own = name, core, _flags(task)
        self._form = task.form if isinstance(task, Command) else Form("")
        self._usage = f"inv {name} {self._form.text.strip('[]')}".rstrip()
        self._starts = {start for each in tasks for start in (each.partition(" ")[0], _dotted(each))}

    def take(self, left: deque[str]) -> list[str]:
        taken, given = list[str](), 0
        while left:
            name = self._form.name_of(given)
            if left[0].startswith("-"):
                taken += self._take_flag(left)
            elif name and (self._form.is_demanded(given) or left[0] not in self._starts):
                taken += [_flag_of(name), left.popleft()]
                given += 1
            else:
                break
        missing = self._form.name_missing(given)
        if missing and _HELP not in taken:
            raise UsageError(f"inv {self._name}: {missing} is missing", hint=self._usage)
        return taken

    def _take_flag(self, left: deque[str]) -> list[str]:
        word = left.popleft()
        flag, equals, value = word.partition("=")
        if flag in {"-h", _HELP}:
            return [_HELP]
        argument = self._own.flags.get(flag) or self._core.flags.get(flag)
        if argument is None or not flag.startswith("--") or flag in map(_flag_of, self._form.names):
            raise self._refusal(word)
        needs_value = argument.takes_value and not argument.optional and not equals
        if needs_value and (not left or left[0] in self._own.flags):
            raise UsageError(f"{flag} needs a value", hint=f"`inv --help {self._name}` lists its flags")
        taken = [word, left.popleft()] if needs_value else [word]
        self._check_number(flag, argument.kind, taken[1] if len(taken) > 1 else value)
        return taken

    def _check_number(self, flag: str, kind: Any, value: str) -> None:
        """Refuse a value that should be a number and is not: Invoke would print a traceback."""
        if value and kind in {int, float}:
            try:
                kind(value)
            except ValueError:
                what = "a whole number" if kind is int else "a number"
                raise UsageError(f"{flag} {value} is not {what}", hint=self._usage) from None

    def _refusal(self, word: str) -> UsageError:
        flag, own = word.partition("=")[0], self._own.flags.keys() - set(map(_flag_of, self._form.names))
        dashed = f"; a file of this name is ./{word}" if Path(word).suffix else ""
        return UsageError(
            f"{word} is not a flag of `inv {self._name}`",
            hint=suggest(flag, own, f"{self._usage}; `inv --help {self._name}` lists its flags{dashed}"),
        )


def _flags(task: Task[Any]) -> Flags:
    return Flags(
        args=deepcopy(task).get_arguments(ignore_unknown_help=True)
    )  # a copy, because get_arguments empties task.help


def _dotted(name: str) -> str:
    return name.replace(" ", ".")


def _flag_of(name: str) -> str:
    return f"--{name.lower()}"


def _print_help(name: str, task: Task[Any]) -> None:
    form = task.form if isinstance(task, Command) else Form("")
    flags, names = _flags(task), {_flag_of(each): each for each in form.names}
    print_help(
        name,
        task,
        words=form.text,
        own=[(word, flags.help_for(flag)[1]) for flag, word in names.items()],
        flags=[flags.help_for(flag) for flag in sorted(flags.flags) if flag not in names],
    )
