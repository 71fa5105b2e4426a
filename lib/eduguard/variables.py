"""The environment variables that carry settings."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from eduguard.errors import EduguardError

PREFIX = "INVOKE_"
Key = tuple[str, ...]
_NEAR = 0.9  # so similar that it is a typing error: INVOKE_TARGT


def variable_name(path: Iterable[str]) -> str:
    """Return the variable of a setting: INVOKE_ and its path in capitals, with _ for characters a shell refuses."""
    return PREFIX + re.sub(r"\W", "_", "_".join(path)).upper()


def read_variables(paths: Iterable[Key], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that variables set, as nested dictionaries of text; `null` and an empty value become None.

    Args:
        paths: of every setting, such as ("targets", "local", "bucket").
        environment: the variables. Names that do not resemble ours, such as Invoke's own, are ignored.

    Raises:
        EduguardError: naming each variable that begins like ours but sets nothing, and each that sets two settings.
    """
    known: dict[str, list[Key]] = {}
    for path in paths:
        known.setdefault(variable_name(path), []).append(path)
    named = sorted(name for name in environment if name.startswith(PREFIX))
    problems = [_unknown(name, known) for name in named if name not in known and _is_like_ours(name, known)]
    problems += [_ambiguous(name, known[name]) for name in named if len(known.get(name, ())) > 1]
    if problems:
        raise EduguardError("; ".join(problems), hint="docs/settings.md describes every variable.")
    found: dict[str, Any] = {}
    for name in set(named) & set(known):
        (path,) = known[name]
        values = found
        for key in path[:-1]:
            values = values.setdefault(key, {})
        values[path[-1]] = None if environment[name] in ("", "null") else environment[name]
    return found


def _is_like_ours(name: str, known: Iterable[str]) -> bool:
    words = {each.split("_")[1] for each in known}
    return name.split("_")[1] in words or bool(difflib.get_close_matches(name, known, n=1, cutoff=_NEAR))


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"The variable {name} sets nothing" + (f" (did you mean {near[0]}?)" if near else "")


def _ambiguous(name: str, paths: Iterable[Key]) -> str:
    return f"The variable {name} would set {' and '.join('.'.join(path) for path in paths)}"
