"""The files that Invoke reads settings from, and what is wrong with one that it cannot read: told in one message."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from eduguard.errors import EduguardError

_EXECUTOR = "eduguard.commands.executor.SuiteExecutor"
_INVOKES_OWN = ("run", "runners", "sudo", "tasks", "timeouts")  # mappings, each of them
_SUFFIXES = (".yaml", ".yml", ".json", ".py")  # in the order in which Invoke looks for them
_SHARED = ("/etc/invoke", "~/.invoke")  # without suffix: of the machine and of the user, for all projects


def name_files(project: Path, runtime: str | None) -> str:
    """Return the names of the files that settings come from, the strongest last, as the words of a message.

    Args:
        project: the project's own.
        runtime: the name of the one given on the command line.
    """
    candidates = [[f"{start}{suffix}" for suffix in _SUFFIXES] for start in _SHARED]
    shared = [next((name for name in names if _at_home(name).is_file()), "") for names in candidates]
    *others, last = [name for name in (*shared, project.name, runtime) if name]
    return f"{', '.join(others)} and {last}" if others else last


def require_runtime_file(name: str | None) -> None:
    """Return if there is a settings file of this name, or none is named: Invoke would go on without one.

    Raises:
        EduguardError: where it does not exist.
    """
    if name is not None and not _at_home(name).exists():
        raise EduguardError(
            f"There is no settings file {name!r}", hint="`-f` or INVOKE_RUNTIME_CONFIG names it; nothing was done."
        )


def _at_home(name: str) -> Path:
    return Path(os.path.expanduser(name))  # noqa: PTH111 -- never fails, and is what Invoke does


def check_settings_file(file: Path, *, is_project: bool = True) -> None:
    """Return if Invoke can read the file and runs its tasks by our executor; read-only.

    Args:
        file: YAML or JSON; a file of Python is Invoke's to run.
        is_project: it is the project's own, which names the executor.

    Raises:
        EduguardError: with file, line and column.
    """
    if file.suffix not in _SUFFIXES:
        raise EduguardError(
            f"{str(file)!r} is no settings file", hint=f"Its name ends in one of {', '.join(_SUFFIXES)}."
        )
    if file.suffix != ".py":
        _check_values(_read(file), file, is_project=is_project)


def _read(file: Path) -> Any:
    import yaml

    try:
        return json.loads(file.read_bytes()) if file.suffix == ".json" else yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise EduguardError(
            f"Cannot read {file}: {error.strerror}", hint="docs/settings.md names the files."
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise EduguardError(f"{where}: {error.problem}") from error
    except json.JSONDecodeError as error:
        raise EduguardError(f"{file}:{error.lineno}:{error.colno}: {error.msg}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: a date that there is not
        raise EduguardError(f"{file}: {error}") from error


def _check_values(values: Any, file: Path, *, is_project: bool) -> None:
    if not values and not is_project:
        return  # Invoke takes an empty file for no settings
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise EduguardError(f"{file}:1: this is no mapping of settings", hint="docs/settings.md describes every key.")
    for key in _INVOKES_OWN:
        if not isinstance(values.get(key, {}), dict):
            raise EduguardError(f"{file}: {key} is Invoke's own, a mapping")
    if values.get("tasks", {}).get("executor_class", None if is_project else _EXECUTOR) != _EXECUTOR:
        raise EduguardError(f"{file}: tasks.executor_class is not {_EXECUTOR}", hint="It is not meant to be changed.")


def explain_failures(project: Path, runtime_file: Callable[[], str | None]) -> None:
    """Tell a failure that our executor never saw as one message: an excepthook, which costs nothing until it is needed.

    Invoke reads the project's invoke.yaml and the file named by `-f` before it knows our executor, and its own errors
    are tracebacks. Those that it reads before it finds this project, the machine's and the user's, are out of reach.
    """
    unexplained = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        try:
            check_settings_file(project)
            if (runtime := runtime_file()) is not None:
                check_settings_file(_at_home(runtime), is_project=False)
        except EduguardError as found:
            error = found
        if isinstance(error, EduguardError):
            sys.stderr.write(f"error: {error}\n")
        else:
            unexplained(kind, error, trace)

    sys.excepthook = explain
