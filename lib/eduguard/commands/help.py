"""Print the help: that of `inv` alone, of `inv help` and of each command."""

import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from invoke.main import program
from invoke.tasks import Task

from eduguard.colours import is_coloured, paint

_RECIPES = "Recipes"


def print_commands(tasks: Mapping[str, Task[Any]]) -> None:
    """Print the commands in groups: first the recipes, then a group for each module or for modules with one GROUP."""
    groups = dict[str, list[str]]()
    for name, task in sorted(tasks.items()):
        groups.setdefault(_group_of(task), []).append(name)
    width = max(map(len, tasks))
    write = sys.stdout.write
    write("Usage: inv COMMAND [ARGUMENTS] [--flags] [COMMAND ...]\n")
    for group in sorted(groups, key=lambda each: (each != _RECIPES, each)):
        write(f"\n{paint(group, 'bold') if is_coloured(sys.stdout) else group}\n")
        for name in groups[group]:
            write(f"  {name:<{width}}  {_first_line(tasks[name])}\n")
    write("\n`inv COMMAND -h` shows the flags of a command and an example.\n")


def print_help(name: str, task: Task[Any], *, words: str, flags: Iterable[tuple[str, str]], own: Any) -> None:
    """Print a command's usage, what it does, an example, its words and its flags."""
    example = example_of(name, task)
    form = " ".join(filter(None, [f"Usage: {program.binary} [--core-opts] {name}", words, "[--options]"]))
    sys.stdout.write(f"{form} [other tasks here ...]\n\nDocstring:\n  {inspect.getdoc(task)}\n\n")
    if example:
        sys.stdout.write(f"Example:\n  {example}\n\n")
    if own:
        sys.stdout.write("Words:\n")
        program.print_columns(own)
    sys.stdout.write("Options:\n")
    program.print_columns(list(flags) or [("none", None)])


def example_of(name: str, task: Task[Any]) -> str | None:
    """Return the example of a command, from EXAMPLES of its module; None if there is none."""
    examples: Mapping[str, str] = getattr(inspect.getmodule(task.body), "EXAMPLES", {})
    return examples.get(name)


def _group_of(task: Task[Any]) -> str:
    name = task.body.__module__
    module = inspect.getmodule(task.body)
    return str(getattr(module, "GROUP", name.rpartition(".")[2].capitalize())) if "." in name else _RECIPES


def _first_line(task: Task[Any]) -> str:
    return (inspect.getdoc(task) or "").partition("\n")[0]
