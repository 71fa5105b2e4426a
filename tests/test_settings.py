"""Settings are checked once, by name, before a task does anything."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from eduguard.errors import EduguardError
from eduguard.settings import load_settings
from eduguard.targets import check_writable

ROOT = Path(__file__).parents[1]


@pytest.fixture
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    del loaded["tasks"]
    return loaded


def test_the_shipped_settings_choose_the_local_target(values: dict[str, Any]) -> None:
    settings = load_settings(values, root=ROOT, environment={})
    assert settings.target.name == "local"
    assert settings.target.is_embedded
    assert settings.target.has_local_cloud
    assert settings.migrations_folder == ROOT / "migrations"


def test_database_url_replaces_the_embedded_server(values: dict[str, Any]) -> None:
    settings = load_settings(values, root=ROOT, environment={"DATABASE_URL": "postgresql:///school"})
    assert settings.target.database_url == "postgresql:///school"
    assert not settings.target.is_embedded


def test_a_target_without_a_database_says_which_variables_set_it(values: dict[str, Any]) -> None:
    values["target"] = "staging"
    with pytest.raises(
        EduguardError, match="(?s)staging has no database.*DATABASE_URL.*INVOKE_TARGETS_STAGING_DATABASE_URL"
    ):
        load_settings(values, root=ROOT, environment={})


def test_an_unknown_target_is_refused_with_the_known_names(values: dict[str, Any]) -> None:
    values["target"] = "stagging"
    with pytest.raises(EduguardError, match="'stagging' in invoke.yaml, but: local, production, staging"):
        load_settings(values, root=ROOT, environment={})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("match_treshold", 90, r"unknown: match_treshold \(did you mean match_threshold\?\)"),
        ("match_threshold", "high", "match_threshold is 'high'"),
        ("match_threshold", 101, "match_threshold is 101"),
        ("match_threshold", True, "match_threshold is True"),
    ],
)
def test_a_bad_key_or_value_is_named(values: dict[str, Any], key: str, value: object, message: str) -> None:
    values[key] = value
    with pytest.raises(EduguardError, match=message):
        load_settings(values, root=ROOT, environment={})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("protection", "none", "protection of target local is 'none'"),
        ("collection", "no/slash", "'no/slash' is not a collection's name"),
        ("colection", "x", r"target local in invoke.yaml: unknown: colection \(did you mean collection\?\)"),
    ],
)
def test_a_bad_key_or_value_of_a_target_is_named(values: dict[str, Any], key: str, value: object, message: str) -> None:
    values["targets"]["local"][key] = value
    with pytest.raises(EduguardError, match=message):
        load_settings(values, root=ROOT, environment={})


def test_a_missing_key_is_named(values: dict[str, Any]) -> None:
    del values["seed_folder"]
    with pytest.raises(EduguardError, match="missing: seed_folder"):
        load_settings(values, root=ROOT, environment={})


@pytest.mark.parametrize(
    ("collections", "message"),
    [
        ("x", "`collections` of target local is 'x'"),
        ({"school-002": 7}, "`collections` of target local"),
        ({"school-002": "a b"}, "'a b' is not a collection's name"),
        ({"b": "same", "c": "same"}, "names collection same for two schools"),
        ({"b": "eduguard-school-default"}, "names collection eduguard-school-default for two schools"),
    ],
    ids=["text", "a number", "a bad name", "one for two schools", "the target's own"],
)
def test_a_collection_of_each_school_is_checked(values: dict[str, Any], collections: Any, message: str) -> None:
    values["targets"]["local"]["collections"] = collections
    with pytest.raises(EduguardError, match=message):
        load_settings(values, root=ROOT, environment={})


def test_a_collection_that_another_target_names_on_the_same_account_is_not_written_to(values: dict[str, Any]) -> None:
    targets = values["targets"]
    targets["copy"] = targets["local"] | {"collection": "shared", "collections": None}
    targets["abroad"] = targets["copy"] | {"collection": "elsewhere", "region": "eu-west-1"}
    settings = load_settings(values, root=ROOT, environment={})
    check_writable(settings, "eduguard-school-default")
    check_writable(settings, "elsewhere")
    with pytest.raises(EduguardError, match="Collection shared is target copy's too"):
        check_writable(settings, "shared")
