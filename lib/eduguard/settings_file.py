"""What is wrong with an invoke.yaml that Invoke itself cannot read: told after it has failed, in one message."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from eduguard.errors import EduguardError

_EXECUTOR = "eduguard.invocation.SuiteExecutor"
_INVOKES_OWN = ("run", "runners", "sudo", "tasks", "timeouts")  # mappings, each of them


def check_settings_file(file: Path) -> None:
    """Return if Invoke can read the file and runs its tasks by our executor; read-only.

    Raises:
        EduguardError: with file, line and column.
    """
    import yaml

    try:
        values = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise EduguardError(f"Cannot read {file}: {error.strerror}", hint="Restore the project's own.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
        raise EduguardError(f"{where}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: a date that there is not
        raise EduguardError(f"{file}: {error}") from error
    _check_values(values, file)


def _check_values(values: Any, file: Path) -> None:
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise EduguardError(f"{file}:1: this is no mapping of settings", hint="docs/settings.md describes every key.")
    for key in _INVOKES_OWN:
        if not isinstance(values.get(key, {}), dict):
            raise EduguardError(f"{file}: {key} is Invoke's own, a mapping")
    if values.get("tasks", {}).get("executor_class") != _EXECUTOR:
        raise EduguardError(f"{file}: tasks.executor_class is not {_EXECUTOR}", hint="It is not meant to be changed.")


def explain_failures(file: Path) -> None:
    """Tell a failure that our executor never saw as one message: an excepthook, which costs nothing until it is needed.

    Invoke reads invoke.yaml before it knows our executor, and its own errors are tracebacks.
    """
    unexplained = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        try:
            check_settings_file(file)
        except EduguardError as found:
            error = found
        if isinstance(error, EduguardError):
            sys.stderr.write(f"error: {error}\n")
        else:
            unexplained(kind, error, trace)

    sys.excepthook = explain
