"""Settings: frozen values made once for each command from invoke.yaml and the environment."""

import difflib
import os
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from eduguard.errors import EduguardError

EMBEDDED = "embedded"
LOCAL = "local"
PROTECTIONS = ("open", "confirm", "refuse")
# CollectionId of the Rekognition API reference: 1 to 255 of these characters.
_COLLECTION = re.compile(r"[a-zA-Z0-9_.\-]{1,255}\Z")
_BUCKET = re.compile(r"[a-zA-Z0-9_.\-]{1,255}\Z")  # as botocore takes it; the service may be stricter
_REGION = re.compile(r"(?![0-9]+\Z|-)[a-z0-9\-]{1,63}(?<!-)\Z")  # as botocore takes it: no number, no hyphen at an end
_ENDPOINT = re.compile(
    r"https?://[a-zA-Z0-9.\-]+(:[0-9]{1,5})?(/\S*)?\Z|https?://\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?(/\S*)?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One environment the tasks work on: its database, collection, bucket, and how it is protected."""

    name: str
    database_url: str = field(repr=False)  # may hold the password
    rekognition_endpoint: str | None
    s3_endpoint: str | None
    region: str
    bucket_region: str
    collection: str
    bucket: str
    protection: str
    requests_per_second: float | None
    maintenance_database: str | None = None
    collections: Mapping[str, str] = field(default_factory=dict)
    """the collection of each school but one, whose is `collection`"""
    claimed: Mapping[str, str] = field(default_factory=dict)
    """the collections that other targets name on the same endpoint and in the same region, with these targets"""

    @property
    def is_embedded(self) -> bool:
        """Say whether the database is the embedded server's."""
        return self.database_url == EMBEDDED

    @property
    def has_local_cloud(self) -> bool:
        """Say whether the collection is in the local cloud."""
        return self.rekognition_endpoint == LOCAL

    @property
    def uses_local_cloud(self) -> bool:
        """Say whether the collection or the bucket is in the local cloud."""
        return LOCAL in (self.rekognition_endpoint, self.s3_endpoint)

    def __str__(self) -> str:
        where = "the local cloud" if self.has_local_cloud else self.rekognition_endpoint or f"AWS {self.region}"
        more = f" and {len(self.collections)} more" if self.collections else ""
        return f"target {self.name}: collection {self.collection}{more} on {where}, protection {self.protection}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of one command; paths are absolute."""

    root: Path
    target: Target
    state_folder: Path | None
    postgres_bin: Path | None
    face_models: Path | None
    migrations_folder: Path
    seed_folder: Path
    match_threshold: float
    school: str = ""
    """the only school that the command works on; empty: all schools of the target"""
    only_collection: str = ""
    """the only collection that the command works on; empty: all collections of the target"""

    @property
    def photos_folder(self) -> Path:
        """Return the folder whose files are named like the keys of the bucket."""
        return self.seed_folder / "photos"

    def narrowed(self, *, school: str = "", collection: str = "") -> "Settings":
        """Return these settings for one school, or one collection, where named."""
        if collection:
            _checked_collection(collection, "--collection")
        return replace(self, school=school, only_collection=collection)


def load_settings(
    values: Mapping[str, Any], *, root: Path, environment: Mapping[str, str], files: str = "invoke.yaml"
) -> Settings:
    """Make the settings from plain values, as they stand in invoke.yaml.

    Args:
        values: the keys of invoke.yaml, nested mappings included, without Invoke's own.
        root: the folder of invoke.yaml, which relative paths start from.
        environment: for DATABASE_URL, which overrides the target's database_url.
        files: the names of those that the values come from, for messages.

    Raises:
        EduguardError: naming every unknown or missing key, an unknown target, or a value of the wrong kind.
    """
    names = {field.name for field in fields(Settings)} - {"root", "school", "only_collection"} | {"targets"}
    _check_keys(values, names, files)
    return Settings(
        root=root,
        target=_load_target(values, environment, files),
        state_folder=_path(values, "state_folder", root),
        postgres_bin=_path(values, "postgres_bin", root),
        face_models=_path(values, "face_models", root),
        migrations_folder=root / _text(values, "migrations_folder"),
        seed_folder=root / _text(values, "seed_folder"),
        match_threshold=_percentage(values["match_threshold"], "match_threshold"),
    )


def _load_target(values: Mapping[str, Any], environment: Mapping[str, str], files: str) -> Target:
    name, targets = _text(values, "target"), values["targets"]
    if not isinstance(targets, Mapping) or not isinstance(targets.get(name), Mapping):
        known = ", ".join(sorted(map(str, targets))) if isinstance(targets, Mapping) else "none"
        raise EduguardError(
            f"There is no target {name!r} in {files}, but: {known}",
            hint="Choose one with INVOKE_TARGET=NAME, or add it under `targets` in invoke.yaml.",
        )
    target = targets[name]
    names = {field.name for field in fields(Target)} - {"name", "claimed"}
    _check_keys(target, names, f"target {name} in {files}", may_miss={"maintenance_database", "collections"})
    collection = _checked_collection(_text(target, "collection"), f"the collection of target {name}")
    return Target(
        name=name,
        database_url=_database_url(target, name, environment),
        maintenance_database=_optional_text(target, "maintenance_database"),
        rekognition_endpoint=_endpoint(target, "rekognition_endpoint"),
        s3_endpoint=_endpoint(target, "s3_endpoint"),
        region=_matching(target, "region", _REGION),
        bucket_region=_matching(target, "bucket_region", _REGION),
        collection=collection,
        collections=_collections(target, collection, name),
        claimed=_claimed(targets, name),
        bucket=_matching(target, "bucket", _BUCKET),
        protection=_protection(target["protection"], name),
        requests_per_second=_rate(target["requests_per_second"], name),
    )


def _database_url(values: Mapping[str, Any], target: str, environment: Mapping[str, str]) -> str:
    url = _optional_text(environment, "DATABASE_URL") or _optional_text(values, "database_url")
    if url is None:
        raise EduguardError(
            f"Target {target} has no database",
            hint=f"Set DATABASE_URL, or INVOKE_TARGETS_{target.upper()}_DATABASE_URL, to a PostgreSQL URL.",
        )
    return url


def _check_keys(
    values: Mapping[str, Any], expected: set[str], where: str, *, may_miss: AbstractSet[str] = frozenset()
) -> None:
    names = set(map(str, values))
    problems = [f"missing: {key}" for key in sorted(expected - names - may_miss)]
    for key in sorted(names - expected):
        near = difflib.get_close_matches(key, expected, n=1)
        problems.append(f"unknown: {key}" + (f" (did you mean {near[0]}?)" if near else ""))
    if problems:
        raise EduguardError(f"Keys of {where}: {'; '.join(problems)}", hint="docs/settings.md describes every key.")


def _checked_collection(collection: str | None, where: str) -> str:
    if collection is None or not _COLLECTION.match(collection):
        raise EduguardError(
            f"{collection!r} is not a collection's name ({where})",
            hint="Rekognition allows 1 to 255 letters, digits, dots, hyphens and underscores.",
        )
    return collection


def _collections(values: Mapping[str, Any], collection: str, target: str) -> dict[str, str]:
    found = _named_collections(values)
    if found is None:
        raise EduguardError(
            f"`collections` of target {target} is {values['collections']!r}",
            hint="It is null, or one `school: collection` for each school: {school-002: my-collection}.",
        )
    seen = {collection}
    for school, name in found.items():
        _checked_collection(name, f"the collection of {school} on target {target}")
        if name in seen:
            raise EduguardError(
                f"Target {target} names collection {name} for two schools", hint="Each school has its own."
            )
        seen.add(name)
    return found


def _named_collections(values: Mapping[str, Any]) -> dict[str, str] | None:
    found = values.get("collections")
    if found is None or found == "":
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(each, str) for each in found.values()):
        return None
    return {str(school): collection for school, collection in found.items()}


def _claimed(targets: Mapping[str, Any], name: str) -> dict[str, str]:
    # Only what matters here is read of the other targets: one that is broken is reported when it is chosen.
    account = ("rekognition_endpoint", "region")
    own, claimed = targets[name], dict[str, str]()
    for other, values in targets.items():
        if other == name or not isinstance(values, Mapping):
            continue
        if [values.get(key) for key in account] == [own.get(key) for key in account]:
            names = [values.get("collection"), *(_named_collections(values) or {}).values()]
            claimed |= {str(each): str(other) for each in names if each}
    return claimed


def _protection(value: object, target: str) -> str:
    if value not in PROTECTIONS:
        raise EduguardError(f"protection of target {target} is {value!r}", hint=f"Use one of {', '.join(PROTECTIONS)}.")
    return str(value)


def _percentage(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:  # noqa: PLR2004
        raise EduguardError(f"{key} is {value!r}", hint="It is a similarity: a number from 0 to 100.")
    return float(value)


def _rate(value: object, target: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1000:  # noqa: PLR2004
        raise EduguardError(
            f"requests_per_second of target {target} is {value!r}",
            hint="It is a rate: more than 0, at most 1000; null for no limit.",
        )
    return float(value)


def _endpoint(values: Mapping[str, Any], key: str) -> str | None:
    text = _optional_text(values, key)
    if text in (None, LOCAL) or _ENDPOINT.match(text or ""):
        return text
    raise EduguardError(f"{key} is {text!r}", hint="Use `local`, null for AWS, or a URL such as https://host:port.")


def _matching(values: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    text = _text(values, key)
    if not pattern.match(text):
        raise EduguardError(f"{key} is {text!r}", hint=f"It matches {pattern.pattern}")
    return text


def _text(values: Mapping[str, Any], key: str) -> str:
    text = _optional_text(values, key)
    if text is None:
        raise EduguardError(f"{key} is empty", hint="docs/settings.md describes every key.")
    return text


def _optional_text(values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    if value is None or value == "":
        return None
    # A URL may hold a password: what is wrong with it is said, not shown.
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).isprintable():
        raise EduguardError(
            f"{key} is not one line of text, but {type(value).__name__}", hint="docs/settings.md describes every key."
        )
    return str(value)


def _path(values: Mapping[str, Any], key: str, root: Path) -> Path | None:
    text = _optional_text(values, key)
    return None if text is None else root / os.path.expanduser(text)  # noqa: PTH111 -- never fails
