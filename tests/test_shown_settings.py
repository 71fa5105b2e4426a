"""The texts about settings, and the errors for wrong targets and keys."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from eduguard.errors import EduguardError
from eduguard.settings import list_settings, load_settings

ROOT = Path(__file__).parents[1]


@pytest.fixture
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    del loaded["tasks"]
    return loaded


@pytest.mark.parametrize(
    ("rekognition", "s3", "has", "uses", "where"),
    [
        ("local", "local", True, True, "the local cloud"),
        ("local", None, True, True, "the local cloud"),
        (None, "local", False, True, "AWS us-east-1"),
        (None, None, False, False, "AWS us-east-1"),
        ("https://faces.test", None, False, False, "https://faces.test"),
    ],
)
def test_a_target_says_where_its_faces_are(
    values: dict[str, Any], rekognition: str | None, s3: str | None, has: bool, uses: bool, where: str
) -> None:
    values["targets"]["local"] |= {"rekognition_endpoint": rekognition, "s3_endpoint": s3, "collection": "faces"}
    values["targets"]["local"]["collections"] = None
    target = load_settings(values, root=ROOT, environment={}).target
    assert (target.has_local_cloud, target.uses_local_cloud) == (has, uses)
    assert str(target) == f"target local: collection faces on {where}, protection open"


def test_a_target_says_how_many_more_collections_it_has(values: dict[str, Any]) -> None:
    values["targets"]["local"] |= {"collection": "faces", "collections": {"b": "faces-b", "c": "faces-c"}}
    assert str(load_settings(values, root=ROOT, environment={}).target).startswith(
        "target local: collection faces and 2 more on the local cloud"
    )


def test_settings_show_no_password(values: dict[str, Any]) -> None:
    values["targets"]["staging"]["database_url"] = "postgresql://me:s3cr3t@db.test/school"
    settings = load_settings(values, root=ROOT, environment={"DATABASE_URL": "postgresql://me:s3cr3t@db.test/x"})
    assert "s3cr3t" not in repr(settings)
    assert "s3cr3t" not in repr(settings.other_target("staging"))


def test_settings_are_narrowed_to_a_school_or_a_collection(values: dict[str, Any]) -> None:
    whole = load_settings(values, root=ROOT, environment={})
    assert (whole.school, whole.only_collection, whole.is_other) == ("", "", False)
    assert whole.photos_folder == ROOT / "seed_data" / "photos"
    one = whole.narrowed(school="a")
    assert (one.school, one.only_collection) == ("a", "")
    other = whole.narrowed(collection="faces")
    assert (other.school, other.only_collection) == ("", "faces")
    with pytest.raises(EduguardError, match="'no/slash' is not a collection's name .--collection."):
        whole.narrowed(collection="no/slash")


@pytest.mark.parametrize("targets", [None, "text", {"local": "text"}])
def test_targets_that_are_not_a_mapping_are_refused(values: dict[str, Any], targets: object) -> None:
    with pytest.raises(EduguardError) as raised:
        load_settings(values | {"targets": targets}, root=ROOT, environment={})
    assert raised.value.message == "There is no target 'local' in invoke.yaml, but: none"
    assert raised.value.hint == "Choose one with INVOKE_TARGET=NAME, or add it under `targets` in invoke.yaml."
    assert ("target",) in list_settings(values | {"targets": targets})


def test_a_mistyped_target_is_answered_with_the_name_it_is_near(values: dict[str, Any]) -> None:
    with pytest.raises(EduguardError) as raised:
        load_settings(values | {"target": "stagging"}, root=ROOT, environment={})
    assert str(raised.value.hint).startswith("Did you mean staging? Choose one with INVOKE_TARGET=NAME")


def test_the_nearest_of_several_keys_is_named(values: dict[str, Any]) -> None:
    local = values["targets"]["local"]
    with pytest.raises(EduguardError, match=r"unknown: bucket_regio \(did you mean bucket_region\?\)"):
        load_settings(values | {"targets": {"local": local | {"bucket_regio": "x"}}}, root=ROOT, environment={})
    with pytest.raises(EduguardError, match=r"unknown: zzz\n"):
        load_settings(values | {"zzz": 1}, root=ROOT, environment={})


def test_every_setting_has_a_variable_also_one_that_the_files_leave_out(values: dict[str, Any]) -> None:
    del values["env_file"]
    values["targets"]["local"]["collections"] = {"a": "x"}
    found = list_settings(values)
    assert {("env_file",), ("targets", "staging", "bucket_profile"), ("targets", "local", "collections", "a")} <= found
    assert not {("targets",), ("targets", "local"), ("targets", "local", "collections")} & found


@pytest.mark.parametrize("threshold", [-0.5, -1, 100.5])
def test_a_threshold_out_of_its_range_is_named(values: dict[str, Any], threshold: float) -> None:
    with pytest.raises(EduguardError, match=f"match_threshold is {threshold}"):
        load_settings(values | {"match_threshold": threshold}, root=ROOT, environment={})
