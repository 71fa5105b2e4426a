"""Settings are checked once, by name, before a task does anything."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from eduguard.errors import EduguardError
from eduguard.settings import is_foreign, list_settings, load_settings
from eduguard.targets import check_writable
from eduguard.variables import read_variables, variable_name

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


def merged(values: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    """The settings of the files, overridden by the variables, as Invoke merges them."""
    found = read_variables(list_settings(values), variables)
    for name, target in found.pop("targets", {}).items():
        values["targets"][name].update(target)
    return values | found


def test_numbers_decimals_and_null_come_by_variables(values: dict[str, Any]) -> None:
    variables = {
        "INVOKE_MATCH_THRESHOLD": "92.5",
        "INVOKE_TARGET": "staging",
        "INVOKE_TARGETS_STAGING_REQUESTS_PER_SECOND": "null",
        "INVOKE_TARGETS_STAGING_DATABASE_URL": "postgresql:///school",
        "INVOKE_TARGETS_STAGING_COLLECTION": "007",
        "INVOKE_TARGETS_STAGING_S3_ENDPOINT": "null",
    }
    settings = load_settings(merged(values, variables), root=ROOT, environment={})
    assert settings.match_threshold == 92.5
    assert (settings.target.collection, settings.target.s3_endpoint) == ("007", None)
    assert settings.target.requests_per_second is None
    rates = {"INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND": "5", "INVOKE_TARGET": "local"}
    assert load_settings(merged(values, rates), root=ROOT, environment={}).target.requests_per_second == 5


@pytest.mark.parametrize("threshold", [0, 0.5, 100])
@pytest.mark.parametrize("rate", [0.1, 1000])
def test_the_ends_of_a_range_belong_to_it(values: dict[str, Any], threshold: float, rate: float) -> None:
    values["match_threshold"] = threshold
    values["targets"]["local"]["requests_per_second"] = rate
    settings = load_settings(values, root=ROOT, environment={})
    assert (settings.match_threshold, settings.target.requests_per_second) == (threshold, rate)


@pytest.mark.parametrize("rate", [0, -1, 1000.5])
def test_a_rate_out_of_its_range_is_named(values: dict[str, Any], rate: float) -> None:
    values["targets"]["local"]["requests_per_second"] = rate
    with pytest.raises(EduguardError, match="requests_per_second of target local is"):
        load_settings(values, root=ROOT, environment={})


@pytest.mark.parametrize(
    "path", sorted(list_settings(yaml.safe_load((ROOT / "invoke.yaml").read_text()))), ids=variable_name
)
def test_null_by_a_variable_is_the_null_of_the_file(values: dict[str, Any], path: tuple[str, ...]) -> None:
    name = variable_name(path)
    values["targets"]["staging"]["database_url"] = values["targets"]["production"]["database_url"] = "postgresql:///x"
    values["target"] = path[1] if path[0] == "targets" else "local"
    try:
        load_settings(merged(values, {name: "null"}), root=ROOT, environment={})
    except EduguardError as error:
        assert "null" not in str(error.message)
        assert re.search(" is empty| is None|has no database|None is not", error.message)


@pytest.mark.parametrize("text", ["", "1e3", "-5", "nan", "inf", " 5", "5%", "\u0665", "1_0", "0x1"])
def test_what_is_not_a_plain_number_is_refused(values: dict[str, Any], text: str) -> None:
    for variable in ("INVOKE_MATCH_THRESHOLD", "INVOKE_TARGETS_LOCAL_REQUESTS_PER_SECOND"):
        if text or variable == "INVOKE_MATCH_THRESHOLD":  # an empty value is null: no limit
            with pytest.raises(EduguardError, match="match_threshold is|requests_per_second of target local is"):
                load_settings(merged(deepcopy(values), {variable: text}), root=ROOT, environment={})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("INVOKE_TARGETS_LOCAL_PROTECTIN", "INVOKE_TARGETS_LOCAL_PROTECTION"),
        ("INVOKE_TARGET_LOCAL_BUCKET", "INVOKE_TARGETS_LOCAL_BUCKET"),
        ("INVOKE_TARGETS_STAGGING_BUCKET", "INVOKE_TARGETS_STAGING_BUCKET"),
        ("INVOKE_MATCH_TRESHOLD", "INVOKE_MATCH_THRESHOLD"),
        ("INVOKE_STATE_FODLER", "INVOKE_STATE_FOLDER"),
        ("INVOKE_SEED", "INVOKE_SEED_FOLDER"),
        ("INVOKE_TARGT", "INVOKE_TARGET"),
    ],
)
def test_a_variable_like_ours_that_sets_nothing_is_refused(values: dict[str, Any], name: str, near: str) -> None:
    with pytest.raises(EduguardError, match=rf"{name} sets nothing \(did you mean {near}\?\)"):
        read_variables(list_settings(values), {name: "x"})


def test_variables_of_others_are_passed_over(values: dict[str, Any]) -> None:
    others = dict.fromkeys(
        ["INVOKE_RUN_ECHO", "INVOKE_DEBUG", "INVOKE_RUNTIME_CONFIG", "INVOKE_MYTEAM_X", "TARGET"], "1"
    )
    assert read_variables(list_settings(values), others) == {}


def test_a_variable_that_would_set_two_settings_is_refused(values: dict[str, Any]) -> None:
    values["targets"] |= {"a": {"b_bucket": "x", "bucket": "y"}, "a-b": {"bucket": "x"}}
    with pytest.raises(EduguardError, match=r"INVOKE_TARGETS_A_B_BUCKET would set targets\.a.* and targets\.a"):
        read_variables(list_settings(values), {"INVOKE_TARGETS_A_B_BUCKET": "x"})


def test_a_target_whose_name_a_shell_cannot_spell_has_a_variable(values: dict[str, Any]) -> None:
    values["targets"]["my-staging"] = {}
    found = read_variables(list_settings(values), {"INVOKE_TARGETS_MY_STAGING_BUCKET": "x"})
    assert found == {"targets": {"my-staging": {"bucket": "x"}}}


def test_a_key_that_the_file_leaves_out_comes_by_a_variable(values: dict[str, Any]) -> None:
    del values["targets"]["local"]["maintenance_database"]
    variables = {"INVOKE_TARGETS_LOCAL_MAINTENANCE_DATABASE": "admin"}
    settings = load_settings(merged(values, variables), root=ROOT, environment={})
    assert settings.target.maintenance_database == "admin"


def test_only_keys_unlike_ours_belong_to_other_projects() -> None:
    assert [key for key in ("myteam", "run_in", "database", "target", "match_treshold") if is_foreign(key)] == [
        "myteam",
        "run_in",
        "database",
    ]


URL = "postgresql://me:Secr3t@db.example.org/school"


def with_file(values: dict[str, Any], folder: Path, content: str) -> dict[str, Any]:
    (folder / ".dev.vars").write_text(content)
    return values | {"env_file": ".dev.vars"}


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("DATABASE_URL=postgresql:///a", "postgresql:///a"),
        ("export DATABASE_URL = postgresql:///a", "postgresql:///a"),
        ('DATABASE_URL="postgresql:///a#b"  # mine', "postgresql:///a#b"),
        ("DATABASE_URL='postgresql:///a'", "postgresql:///a"),
        ("DATABASE_URL=postgresql:///a#b # mine", "postgresql:///a#b"),
        ("DATABASE_URL=postgresql:///a\r", "postgresql:///a"),
        ("\ufeffDATABASE_URL=postgresql:///a", "postgresql:///a"),
        ("DATABASE_URL=postgresql:///a\nDATABASE_URL=postgresql:///b", "postgresql:///b"),
        (
            "not a line\nOTHER='open\n#DATABASE_URL=x\nMY_DATABASE_URL=x\n\nDATABASE_URL=postgresql:///a",
            "postgresql:///a",
        ),
        ("# DATABASE_URL=postgresql:///a", "embedded"),
        ("DATABASE_URL=  # none yet", "embedded"),
        ("INVOKE_TARGET=staging\nPGPASSWORD=x", "embedded"),
    ],
)
def test_the_env_file_is_read_as_such_files_are(values: dict[str, Any], tmp_path: Path, line: str, url: str) -> None:
    settings = load_settings(with_file(values, tmp_path, line), root=tmp_path, environment={})
    assert settings.target.database_url == url


def test_a_real_variable_wins_over_the_env_file(values: dict[str, Any], tmp_path: Path) -> None:
    values = with_file(values, tmp_path, f"DATABASE_URL={URL}")
    loaded = load_settings(values, root=tmp_path, environment={})
    assert (loaded.target.database_url, loaded.database_source) == (URL, f"DATABASE_URL of {tmp_path}/.dev.vars")
    real = load_settings(values, root=tmp_path, environment={"DATABASE_URL": "postgresql:///x"})
    assert real.target.database_url == "postgresql:///x"
    assert real.database_source == f"DATABASE_URL of the environment; that of {tmp_path}/.dev.vars is passed over"
    own = {"INVOKE_TARGETS_LOCAL_DATABASE_URL": "postgresql:///y"}
    by_own = load_settings(merged(values, own), root=tmp_path, environment=own)
    assert by_own.target.database_url == "postgresql:///y"
    assert by_own.database_source.startswith("INVOKE_TARGETS_LOCAL_DATABASE_URL of the environment")
    assert "Secr3t" not in repr((loaded, real, by_own))


@pytest.mark.parametrize(
    ("environment", "added", "source"),
    [
        ({}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "r"}, "AWS_ACCESS_KEY_ID of "),
        ({"AWS_PROFILE": "p"}, {"AWS_REGION": "r"}, "AWS_PROFILE of the environment; what "),
        ({"AWS_ACCESS_KEY_ID": "x"}, {"AWS_REGION": "r"}, "AWS_ACCESS_KEY_ID of the environment; what "),
        ({"AWS_REGION": "x", "AWS_PROFILE": ""}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "AWS_ACC"),
    ],
)
def test_credentials_come_from_one_place(
    values: dict[str, Any], tmp_path: Path, environment: dict[str, str], added: dict[str, str], source: str
) -> None:
    values = with_file(values, tmp_path, "AWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b\nAWS_REGION=r\nSECRET=c\n")
    sources = load_settings(values, root=tmp_path, environment=environment).sources
    assert sources.added_variables() == added
    assert sources.describe_credentials("staging", None).startswith(source)
    assert sources.describe_credentials("staging", "p").startswith("profile p, aws_profile of target staging; what ")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "Cannot read FILE: No such file"),
        (b"DATABASE_URL='postgresql://u:Secr3t@h/d", "FILE:1: DATABASE_URL has a quotation mark that is not closed"),
        (b'X=1\nAWS_SECRET_ACCESS_KEY="Secr3t" Secr3t', "FILE:2: AWS_SECRET_ACCESS_KEY has a quotation mark"),
        (b"DATABASE_URL=Secr3t\xff", "Cannot read FILE: it is not UTF-8 text"),
    ],
)
def test_a_broken_env_file_is_named_without_its_content(
    values: dict[str, Any], tmp_path: Path, content: bytes | None, problem: str
) -> None:
    file = tmp_path / ".env"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(EduguardError) as raised:
        load_settings(values | {"env_file": ".env"}, root=tmp_path, environment={})
    assert str(raised.value).startswith(problem.replace("FILE", str(file)))
    assert "Secr3t" not in str(raised.value)


def test_database_url_means_the_chosen_target_only(values: dict[str, Any], tmp_path: Path) -> None:
    values = with_file(values, tmp_path, f"DATABASE_URL={URL}") | {"target": "staging"}
    values["targets"]["production"] |= {"database_url": "postgresql:///p", "aws_profile": "school-production"}
    for environment in ({}, {"DATABASE_URL": URL}):
        settings = load_settings(values, root=tmp_path, environment=environment)
        other = settings.other_target("production")
        assert (settings.target.database_url, other.target.database_url) == (URL, "postgresql:///p")
        assert (other.target.name, other.target.aws_profile, other.is_other) == (
            "production",
            "school-production",
            True,
        )
        assert other.database_source == "database_url of target production"
        assert settings.other_target("staging") is settings
        assert settings.other_target("local").target.is_embedded


def test_another_target_without_a_database_or_a_name_is_refused(values: dict[str, Any]) -> None:
    settings = load_settings(values, root=ROOT, environment={"DATABASE_URL": URL})
    with pytest.raises(EduguardError, match="(?s)production has no database.*PRODUCTION_DATABASE_URL.*chosen target"):
        settings.other_target("production")
    with pytest.raises(EduguardError, match="There is no target 'nowhere'"):
        settings.other_target("nowhere")


def test_files_without_the_newer_keys_still_work(values: dict[str, Any]) -> None:
    del values["env_file"], values["targets"]["local"]["aws_profile"]
    settings = load_settings(values, root=ROOT, environment={})
    assert (settings.env_file, settings.target.aws_profile) == (None, None)


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
    targets["copy"] = targets["local"] | {"collection": "shared", "collections": {"b": "of-b", "c": None}}
    targets["abroad"] = targets["copy"] | {"collection": "elsewhere", "region": "eu-west-1"}
    targets["other"] = targets["copy"] | {"collection": "their-own", "aws_profile": "other"}
    settings = load_settings(values, root=ROOT, environment={})
    check_writable(settings, "their-own")
    check_writable(settings, "eduguard-school-default")
    check_writable(settings, "elsewhere")
    for taken in ("shared", "of-b"):
        with pytest.raises(EduguardError, match=f"Collection {taken} is target copy's too"):
            check_writable(settings, taken)
