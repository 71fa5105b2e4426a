"""The files and variables that Invoke reads settings from; a mistake in them becomes one message."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

import invoke.config
from invoke.config import Config
from invoke.env import Environment
from invoke.exceptions import AmbiguousEnvVar, UncastableEnvVar, UnknownFileType
from invoke.main import program

from eduguard.colours import emphasise_failure, is_coloured
from eduguard.errors import EduguardError
from eduguard.settings import is_foreign, list_settings
from eduguard.terminal import print_json
from eduguard.variables import read_variables

EXECUTOR = "eduguard.commands.executor.SuiteExecutor"


class SuiteConfig(Config):
    """Invoke's configuration, except that we read the variables of our own settings.

    Invoke accepts only whole numbers if the file has one, leaves a number as text if the file has null, does not know
    null, and ignores a variable whose name is misspelt.
    """

    def load_shell_env(self) -> None:
        """Read the variables: Invoke's own as Invoke does, ours as text.

        Raises:
            EduguardError: for a variable of Invoke's that does not fit, or one that looks like ours but is not.
        """
        self.merge()
        values: Any = self
        theirs: Any = {key: values[key] for key in Config.global_defaults()}
        try:
            loaded = Environment(theirs, self._env_prefix).load()
        except (ValueError, AmbiguousEnvVar, UncastableEnvVar) as error:
            raise EduguardError(
                f"An INVOKE_... environment variable does not fit its setting: {error}",
                hint="It is one of Invoke's own; `env | grep ^INVOKE_` shows what is set.",
                code="settings",
            ) from error
        self._set(_env={**loaded, **read_variables(list_settings(own_values(self)), os.environ)})
        self.merge()


def own_values(config: Any) -> dict[str, Any]:
    """Return the suite's own settings as plain nested dictionaries: without Invoke's, and without other projects'.

    The files of the machine and of the user are read for every project. All that this project's own files set is ours,
    known or not.
    """
    project = {*(config._project or ()), *(config._runtime or ())}  # noqa: SLF001 -- Invoke has no public name for it
    keys = [key for key in config if key not in Config.global_defaults()]
    return {key: _plain(config[key]) for key in keys if key in project or not is_foreign(str(key))}


def _plain(value: Any) -> Any:
    return {key: _plain(value[key]) for key in value} if hasattr(value, "keys") else value


def name_files(config: Any) -> str:
    """Return the files that Invoke has read these settings from as text for a message, the strongest last."""
    kinds = ("system", "user", "project", "runtime")
    paths = [path for kind in kinds if (path := getattr(config, f"_{kind}_path")) and Path(path).is_file()]
    names = [Path(path).name if path == config._project_path else path for path in paths]  # noqa: SLF001
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "invoke.yaml (there is none)"


def require_runtime_file(config: Any) -> None:
    """Require that the settings file named by `-f` or INVOKE_RUNTIME_CONFIG exists: Invoke would go on without it.

    Raises:
        EduguardError: if it does not exist.
    """
    file = config._runtime_path  # noqa: SLF001 -- Invoke has no public name for it
    if file is not None and not Path(file).exists():
        raise EduguardError(
            f"There is no settings file {file!r}",
            hint="`-f` or INVOKE_RUNTIME_CONFIG names it; nothing was done.",
            code="settings",
        )


def hide_secrets() -> None:
    """Let `inv -d` and INVOKE_DEBUG print what Invoke does, but nothing secret.

    They turn on the log of every library. Requests are logged with their tokens and pictures, and two of Invoke's own
    modules log all settings, including the URLs of databases.
    """
    for handler in logging.getLogger().handlers if "core" in vars(program) else ():
        handler.addFilter(_is_harmless)


def _is_harmless(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == "invoke" and record.module not in {"config", "env"}


def explain_failures() -> None:
    """Print a failure that our executor does not see as one message; an excepthook costs nothing until it is needed.

    Invoke reads invoke.yaml and the file named by `-f` before it knows our executor, and prints its own errors as
    tracebacks. It reads the machine's and the user's files even before it loads this module: errors in those files
    remain tracebacks.
    """
    unexplained = sys.excepthook

    def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        failure = error if isinstance(error, EduguardError) else _explained(error, trace)
        if failure is None:
            unexplained(kind, error, trace)
            return
        message = f"error: {failure}"
        sys.stderr.write(f"{emphasise_failure(message) if is_coloured(sys.stderr) else message}\n")
        if "--json" in sys.argv:
            print_json({"error": failure.as_json()})

    sys.excepthook = explain


def _explained(error: BaseException, trace: TracebackType | None) -> EduguardError | None:
    message, _, hint = (_explanation(error, trace) or "").partition("\n  ")
    return EduguardError(message, hint=hint or None, code="settings") if message else None


def _explanation(error: BaseException, trace: TracebackType | None) -> str | None:
    """Return what is wrong with a file or with the merged settings, or None for a failure of another kind."""
    frames = [frame for frame, _ in walk_tb(trace) if frame.f_code.co_filename == invoke.config.__file__]
    files = [frame.f_locals.get("filepath", frame.f_locals.get("path")) for frame in frames]
    if known := [file for file in files if file is not None]:
        return _what_is_wrong(error, known[-1], frames[-1].f_locals)
    if (config := vars(program).get("config")) is None:
        return None
    values = vars(config)["_config"]
    if strange := [key for key in values if not isinstance(key, str)]:
        return f"{name_files(config)}: {strange[0]!r} is not the name of a setting"
    if values["tasks"]["executor_class"] != EXECUTOR:
        return f"{name_files(config)}: tasks.executor_class is not {EXECUTOR}\n  It is not meant to be changed."
    return None


def _what_is_wrong(error: BaseException, file: str, values: Mapping[str, Any]) -> str:
    """Return the message for a file; `values` are the local variables of Invoke's function that failed."""
    match error:
        case UnknownFileType():
            return f"{file!r} is not a settings file\n  Its name ends in .yaml, .yml, .json or .py."
        case OSError():
            return f"Cannot read {file}: {error.strerror}"
        case invoke.config.AmbiguousMergeError():
            expected = "a mapping" if isinstance(values["base"][values["key"]], dict) else "a single value"
            return f"{file}: {values['key']} must be {expected}"
        case AttributeError():  # Invoke calls items() on a list or a text
            return f"{file}:1: this is not a mapping of settings\n  docs/settings.md describes every key."
    mark = getattr(error, "problem_mark", None)  # set by YAML errors
    return f"{file}:{mark.line + 1}:{mark.column + 1}: {getattr(error, 'problem', '')}" if mark else f"{file}: {error}"
