"""Settings: frozen values made once for each command from invoke.yaml and the environment."""

import difflib
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from eduguard.access import Sources, read_sources
from eduguard.errors import EduguardError, suggest
from eduguard.values import (
    BUCKET,
    LOCAL,
    REGION,
    check_collection,
    check_protection,
    find_claimed,
    read_collections,
    read_endpoint,
    read_matching,
    read_optional_text,
    read_path,
    read_percentage,
    read_rate,
    read_text,
)
from eduguard.variables import variable_name

EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One environment that the tasks work on: its database, collection, bucket and protection."""

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
    aws_profile: str | None = None
    bucket_profile: str | None = None
    """the profile for requests to the bucket; a bucket in R2 needs other keys than the collection"""
    collections: Mapping[str, str] = field(default_factory=dict)
    """the collection of each school, except the one school that uses `collection`"""
    claimed: Mapping[str, str] = field(default_factory=dict)
    """the collections that other targets with the same endpoint, region and profile name, and these targets"""

    @property
    def is_embedded(self) -> bool:
        """Say whether the database is on the embedded server."""
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
    anonymise_file: Path
    anonymise_key: Path | None = None
    """the folder for the key of an export; None: the user's folder of settings"""
    env_file: Path | None = None
    targets: Mapping[str, Any] = field(repr=False)  # as read from the files; a URL may hold a password
    sources: Sources
    database_source: str
    """where the database's URL was found"""
    is_other: bool = False
    """the target is not the chosen one, so libpq's variables do not apply to it"""
    school: str = ""
    """the only school that the command works on; empty: all schools of the target"""
    only_collection: str = ""
    """the only collection that the command works on; empty: all collections of the target"""

    @property
    def photos_folder(self) -> Path:
        """Return the folder of photos, whose files are named like the keys of the bucket."""
        return self.seed_folder / "photos"

    def narrowed(self, *, school: str = "", collection: str = "") -> "Settings":
        """Return these settings limited to one school or one collection, if one is named."""
        if collection:
            check_collection(collection, "--collection")
        return replace(self, school=school, only_collection=collection)

    def other_target(self, name: str, *, needs_database: bool = True) -> "Settings":
        """Return these settings for a target named on the command line; the same settings if it is the chosen one.

        The other target uses the database of its own setting. DATABASE_URL, from the environment or the env_file, and
        libpq's variables, including a password, apply to the chosen target only.

        Args:
            name: of the target.
            needs_database: whether a target without a database is an error.

        Raises:
            EduguardError: for an unknown target, or one without a database.
        """
        if name == self.target.name:
            return self
        own = _named_target(self.targets, name, "invoke.yaml")
        url = _database_url(own, name, is_other=True) if needs_database else ""
        target = _make_target(own, name, url, self.targets)
        return replace(self, target=target, database_source=f"database_url of target {name}", is_other=True)


_KEYS = {field.name for field in fields(Settings)} - {
    "root", "school", "only_collection", "sources", "database_source", "is_other",
}  # fmt: skip
_MAY_MISS = {"env_file", "anonymise_file", "anonymise_key"}
_TARGET_KEYS = {field.name for field in fields(Target)} - {"name", "claimed"}
_TARGET_MAY_MISS = {"maintenance_database", "aws_profile", "bucket_profile", "collections"}


def list_settings(values: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Return the path of every setting that a variable may set: those in the files, and those that files may omit."""
    targets = values.get("targets")
    names = [name for name in targets if isinstance(targets[name], Mapping)] if isinstance(targets, Mapping) else []
    declared = {(key,) for key in _KEYS} | {("targets", name, key) for name in names for key in _TARGET_KEYS}
    leaves = set(_leaves({key: value for key, value in values.items() if key in _KEYS}))
    return leaves | {path for path in declared if not isinstance(_value_at(values, path), Mapping)}


def is_foreign(key: str) -> bool:
    """Say whether a key is not ours and not a likely misspelling of one of ours."""
    return not difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.8)


def _leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        path = (*above, str(key))
        if isinstance(value, Mapping):
            yield from _leaves(value, path)
        else:
            yield path


def _value_at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = values
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def load_settings(
    values: Mapping[str, Any], *, root: Path, environment: Mapping[str, str], files: str = "invoke.yaml"
) -> Settings:
    """Make the settings from plain values, as they are in invoke.yaml.

    Args:
        values: the keys of invoke.yaml, nested mappings included, without Invoke's own.
        root: the folder of invoke.yaml; relative paths start here.
        environment: DATABASE_URL in it overrides the database_url of the chosen target; it also says where AWS's
            credentials come from.
        files: the names of the files that the values come from, for messages.

    Raises:
        EduguardError: naming every unknown or missing key, an unknown target, or a value of the wrong kind.
    """
    _check_keys(values, _KEYS, files, may_miss=_MAY_MISS)
    sources = read_sources(environment, read_path(values, "env_file", root))
    name = read_text(values, "target")
    own = _named_target(values["targets"], name, files)
    found, database_source = sources.find_url(name)
    url = _database_url(own if found is None else {"database_url": found}, name)
    return Settings(
        root=root,
        target=_make_target(own, name, url, values["targets"], files),
        targets=values["targets"],
        env_file=sources.file,
        sources=sources,
        database_source=database_source,
        state_folder=read_path(values, "state_folder", root),
        postgres_bin=read_path(values, "postgres_bin", root),
        face_models=read_path(values, "face_models", root),
        migrations_folder=root / read_text(values, "migrations_folder"),
        seed_folder=root / read_text(values, "seed_folder"),
        match_threshold=read_percentage(values["match_threshold"], "match_threshold"),
        anonymise_file=root / (read_optional_text(values, "anonymise_file") or "anonymise.yaml"),
        anonymise_key=read_path(values, "anonymise_key", root),
    )


def _named_target(targets: object, name: str, files: str) -> Mapping[str, Any]:
    items = targets.items() if isinstance(targets, Mapping) else ()
    known = {key: each for key, each in items if isinstance(each, Mapping)}
    found = known.get(name)
    if found is None:
        raise EduguardError(
            f"There is no target {name!r} in {files}, but: {', '.join(sorted(map(str, known))) or 'none'}",
            hint=suggest(
                name, map(str, known), "Choose one with INVOKE_TARGET=NAME, or add it under `targets` in invoke.yaml."
            ),
        )
    return found


def _make_target(values: Mapping[str, Any], name: str, url: str, targets: Any, files: str = "invoke.yaml") -> Target:
    _check_keys(values, _TARGET_KEYS, f"target {name} in {files}", may_miss=_TARGET_MAY_MISS)
    collection = check_collection(read_text(values, "collection"), f"the collection of target {name}")
    return Target(
        name=name,
        database_url=url,
        maintenance_database=read_optional_text(values, "maintenance_database"),
        aws_profile=read_optional_text(values, "aws_profile"),
        bucket_profile=read_optional_text(values, "bucket_profile") or read_optional_text(values, "aws_profile"),
        rekognition_endpoint=read_endpoint(values, "rekognition_endpoint"),
        s3_endpoint=read_endpoint(values, "s3_endpoint"),
        region=read_matching(values, "region", REGION),
        bucket_region=read_matching(values, "bucket_region", REGION),
        collection=collection,
        collections=read_collections(values, collection, name),
        claimed=find_claimed(targets, name),
        bucket=read_matching(values, "bucket", BUCKET),
        protection=check_protection(values["protection"], name),
        requests_per_second=read_rate(values["requests_per_second"], name),
    )


def _database_url(values: Mapping[str, Any], target: str, *, is_other: bool = False) -> str:
    url = read_optional_text(values, "database_url")
    if url is None:
        own = variable_name(("targets", target, "database_url"))
        hint = f"Set DATABASE_URL, or {own}, to a PostgreSQL URL."
        if is_other:
            hint = f"Set {own} to a PostgreSQL URL; DATABASE_URL means the chosen target."
        raise EduguardError(f"Target {target} has no database", hint=hint)
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
