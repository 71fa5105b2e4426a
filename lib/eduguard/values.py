"""Check single values of the settings; a refusal names the setting and says what to do."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eduguard.errors import EduguardError

LOCAL = "local"
PROTECTIONS = ("open", "confirm", "refuse")
# CollectionId of the Rekognition API reference: 1 to 255 of these characters.
_COLLECTION = re.compile(r"[a-zA-Z0-9_.\-]{1,255}\Z")
BUCKET = re.compile(r"[a-zA-Z0-9_.\-]{1,255}\Z")  # what botocore accepts; the service may be stricter
REGION = re.compile(r"(?![0-9]+\Z|-)[a-z0-9\-]{1,63}(?<!-)\Z")  # for botocore: not a number, no hyphen at an end
_ENDPOINT = re.compile(
    r"https?://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/\S*)?\Z|https?://\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?(/\S*)?\Z"
)


def check_collection(collection: str | None, where: str) -> str:
    """Return the name of a collection; `where` says where it is, for the message."""
    if collection is None or not _COLLECTION.match(collection):
        raise EduguardError(
            f"{collection!r} is not a collection's name ({where})",
            hint="Rekognition allows 1 to 255 letters, digits, dots, hyphens and underscores.",
        )
    return collection


def read_collections(values: Mapping[str, Any], collection: str, target: str) -> dict[str, str]:
    """Return the collection of each school, except the one school that uses the target's own `collection`."""
    found = _named_collections(values)
    if found is None:
        raise EduguardError(
            f"`collections` of target {target} is {values['collections']!r}",
            hint="It is null, or one `school: collection` for each school: {school-002: my-collection}.",
        )
    seen = {collection}
    for school, name in found.items():
        check_collection(name, f"the collection of {school} on target {target}")
        if name in seen:
            raise EduguardError(
                f"Target {target} names collection {name} for two schools", hint="Each school has its own."
            )
        seen.add(name)
    return found


def find_claimed(targets: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the collections that other targets of the same account name, and these targets.

    Only the needed values of the other targets are read: a broken target is reported when it is chosen.
    """
    account = ("rekognition_endpoint", "region", "aws_profile")
    own, claimed = targets[name], dict[str, str]()
    for other, values in targets.items():
        if other == name or not isinstance(values, Mapping):
            continue
        if [values.get(key) for key in account] == [own.get(key) for key in account]:
            names = [values.get("collection"), *(_named_collections(values) or {}).values()]
            claimed |= {str(each): str(other) for each in names if each}
    return claimed


def _named_collections(values: Mapping[str, Any]) -> dict[str, str] | None:
    found = values.get("collections")
    if found is None or found == "":
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(each, str | None) for each in found.values()):
        return None
    return {str(school): collection for school, collection in found.items() if collection is not None}


def check_protection(value: object, target: str) -> str:
    """Return the protection of a target."""
    if value not in PROTECTIONS:
        raise EduguardError(f"protection of target {target} is {value!r}", hint=f"Use one of {', '.join(PROTECTIONS)}.")
    return str(value)


def read_percentage(value: object, key: str) -> float:
    """Return a similarity."""
    number = _number(value)
    if number is None or not 0 <= number <= 100:  # noqa: PLR2004
        raise EduguardError(f"{key} is {value!r}", hint="It is a similarity: a number from 0 to 100.")
    return number


def read_rate(value: object, target: str) -> float | None:
    """Return requests per second, or None for no limit."""
    if value is None:
        return None
    number = _number(value)
    if number is None or not 0 < number <= 1000:  # noqa: PLR2004
        raise EduguardError(
            f"requests_per_second of target {target} is {value!r}",
            hint="It is a rate: more than 0, at most 1000; null for no limit.",
        )
    return number


def _number(value: object) -> float | None:
    """Return a number, also from the text of a variable."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value, re.ASCII):
        return float(value)
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def read_endpoint(values: Mapping[str, Any], key: str) -> str | None:
    """Return None for AWS, `local`, or a URL."""
    text = read_optional_text(values, key)
    if text in (None, LOCAL) or _ENDPOINT.match(text or ""):
        return text
    raise EduguardError(f"{key} is {text!r}", hint="Use `local`, null for AWS, or a URL such as https://host:port.")


def read_matching(values: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    """Return a text that matches a pattern."""
    text = read_text(values, key)
    if not pattern.match(text):
        raise EduguardError(f"{key} is {text!r}", hint=f"It matches {pattern.pattern}")
    return text


def read_text(values: Mapping[str, Any], key: str) -> str:
    """Return a text that is not empty."""
    text = read_optional_text(values, key)
    if text is None:
        raise EduguardError(f"{key} is empty", hint="docs/settings.md describes every key.")
    return text


def read_optional_text(values: Mapping[str, Any], key: str) -> str | None:
    """Return one line of text, or None if there is none."""
    value = values.get(key)
    if value is None or value == "":
        return None
    # A URL may hold a password: the message says what is wrong but does not show the value.
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).isprintable():
        raise EduguardError(
            f"{key} is not one line of text, but {type(value).__name__}", hint="docs/settings.md describes every key."
        )
    return str(value)


def read_path(values: Mapping[str, Any], key: str, root: Path) -> Path | None:
    """Return a path, relative to root if it is not absolute; or None."""
    text = read_optional_text(values, key)
    return None if text is None else root / os.path.expanduser(text)  # noqa: PTH111 -- never fails
