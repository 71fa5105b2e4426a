"""Missing parts of a target are reported, servers start and stop, and any server works by URL."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

import localcloud
from eduguard.postgres import Database

Inv = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


def test_a_collection_that_does_not_exist_is_named(inv: Inv, full: Database) -> None:
    done = inv(
        "sync-faces", "--school", "school-001", check=False, INVOKE_TARGETS_LOCAL_COLLECTION="no-such-collection"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: There is no collection no-such-collection in us-east-1")


def test_without_aws_credentials_the_way_to_them_is_told(inv: Inv, full: Database, cloud_endpoint: str) -> None:
    done = inv("sync-faces", check=False, INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=cloud_endpoint)
    assert done.returncode == 1
    assert "Unable to locate credentials" in done.stderr
    assert "aws configure" in done.stderr


def test_a_local_cloud_by_its_url_works_like_any_endpoint(
    inv: Inv, full: Database, cloud_endpoint: str, cloud_variables: dict[str, str]
) -> None:
    done = inv(
        "sync-faces",
        INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=cloud_endpoint,
        **cloud_variables,
    )
    assert "18 unchanged" in done.stdout


def test_a_database_server_that_is_down_is_named(inv: Inv) -> None:
    done = inv("seed", check=False, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:9/school")
    assert done.returncode == 1
    assert "Cannot connect to postgresql://nobody@127.0.0.1:9/" in done.stderr
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.sampled("Secr3t@Pass-status", "Secr3t/Pass-doctor", "Secr3t?Pass-full")
@pytest.mark.parametrize("command", ["status", "full", "sync-faces", "doctor", "up"])
@pytest.mark.parametrize("password", ["Secr3t@Pass", "Secr3t/Pass", "Secr3t?Pass"])
def test_nothing_of_a_password_that_is_not_percent_encoded_is_printed(inv: Inv, command: str, password: str) -> None:
    done = inv(command, check=False, DATABASE_URL=f"postgresql://school:{password}@127.0.0.1:9/school")
    assert not re.search("Secr3t|Pass", done.stdout + done.stderr)
    if command != "up":  # it starts the local servers, and needs no database by URL
        assert done.returncode == 1
        assert "Percent-encode" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("debug", [("-d",), ()], ids=["flag", "variable"])
def test_the_log_of_invoke_shows_nothing_secret(
    inv: Inv, database: Database, cloud_endpoint: str, cloud_variables: dict[str, str], debug: tuple[str, ...]
) -> None:
    name = f"debug-{database.name.replace('_', '-')}"
    done = inv(
        *debug,
        "full",
        "--yes",
        **({} if debug else {"INVOKE_DEBUG": "1"}),
        DATABASE_URL=database.shown_url.replace("@", ":Secr3tPassword@", 1),
        INVOKE_TARGETS_PRODUCTION_DATABASE_URL="postgresql://u:Secr3tPassword@h/d",
        INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=cloud_endpoint,  # the picture itself is sent, not a reference
        INVOKE_TARGETS_LOCAL_COLLECTION=name,
        INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002=f"{name}-2",
        INVOKE_TARGETS_LOCAL_BUCKET=name,
        AWS_SESSION_TOKEN="Secr3tToken",
        **cloud_variables,
    )
    said = done.stdout + done.stderr
    assert "24 faces indexed" in said
    assert "invoke.executor.execute: Executing <_Step 'publish'" in said
    assert "Secr3t" not in said
    assert [value for value in cloud_variables.values() if value in said] == []
    assert not re.search(r"[A-Za-z0-9+/]{200}|/9j/|\\xff\\xd8", said), "a picture"


@pytest.mark.slow
def test_an_env_file_and_a_profile_lead_to_the_target_and_doctor_says_so(
    inv: Inv, full: Database, cloud_endpoint: str, cloud_variables: dict[str, str], tmp_path: Path
) -> None:
    key, secret = cloud_variables["AWS_ACCESS_KEY_ID"], cloud_variables["AWS_SECRET_ACCESS_KEY"]
    file, credentials = tmp_path / ".dev.vars", tmp_path / "credentials"
    url = full.shown_url.replace("@", ":Secr3t@", 1)
    file.write_text(f"DATABASE_URL='{url}'\nAWS_ACCESS_KEY_ID={key}\nAWS_SECRET_ACCESS_KEY={secret}\nOTHER=1\n")
    credentials.write_text(f"[school]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    given = {
        "DATABASE_URL": "",
        "INVOKE_ENV_FILE": str(file),
        "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": cloud_endpoint,
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
    }
    for profile, source in (("null", f"AWS_ACCESS_KEY_ID of {file}"), ("school", "profile school, aws_profile of")):
        done = inv("doctor", "sync-faces", "doctor", **given, INVOKE_TARGETS_LOCAL_AWS_PROFILE=profile)
        assert done.stdout.count(f"settings: database: DATABASE_URL of {file}; AWS: {source}") in (1, 2)
        assert "18 unchanged" in done.stdout
        assert not re.search(f"Secr3t|{key}|{secret}", done.stdout + done.stderr)
    refused = inv("sync-faces", check=False, **given | {"INVOKE_ENV_FILE": "null", "DATABASE_URL": full.shown_url})
    assert "Unable to locate credentials" in refused.stderr


@pytest.mark.slow
def test_a_bucket_with_keys_of_its_own_is_asked_with_its_own_profile(
    inv: Inv, full: Database, cloud_endpoint: str, cloud_variables: dict[str, str], tmp_path: Path
) -> None:
    credentials = tmp_path / "credentials"
    with localcloud.running() as other:  # as photos in R2 and faces in AWS
        keys = other.credentials
        credentials.write_text(
            f"[faces]\naws_access_key_id = {cloud_variables['AWS_ACCESS_KEY_ID']}\n"
            f"aws_secret_access_key = {cloud_variables['AWS_SECRET_ACCESS_KEY']}\n"
            f"[photos]\naws_access_key_id = {keys.access_key_id}\n"
            f"aws_secret_access_key = {keys.secret_access_key}\n"
        )
        given = {
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": cloud_endpoint,
            "INVOKE_TARGETS_LOCAL_S3_ENDPOINT": other.endpoint,
            "INVOKE_TARGETS_LOCAL_AWS_PROFILE": "faces",
        }
        refused = inv("enrol", "--yes", check=False, **given)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "InvalidAccessKeyId" in refused.stderr
        assert "`bucket_profile` of the target names the profile" in refused.stderr
        given["INVOKE_TARGETS_LOCAL_BUCKET_PROFILE"] = "photos"
        assert "18 uploaded, 0 faces indexed" in inv("enrol", "--yes", "--collection", "tests", **given).stdout
        doctor = inv("doctor", check=False, **given).stdout
    assert "AWS: profile faces, aws_profile of target local; bucket: profile photos" in doctor
    assert re.search(r"photos: \d+ with row, photo and face", doctor)


def test_an_unknown_target_is_refused_with_the_known_names(inv: Inv) -> None:
    done = inv("status", check=False, INVOKE_TARGET="stagging")
    assert done.returncode == 1
    assert "in invoke.yaml, but: local, production, staging" in done.stderr


@pytest.mark.slow
def test_the_embedded_server_and_the_cloud_come_up_and_go_down(inv: Inv) -> None:
    folder = Path(tempfile.mkdtemp(prefix="eg-"))
    folder.chmod(0o711)
    settings = {"DATABASE_URL": "", "INVOKE_STATE_FOLDER": str(folder / "state")}
    try:
        inv("enrol", **settings)  # the local cloud is the first to need the folder
        assert len(inv("up", **settings).stdout.splitlines()) == 2
        report = json.loads(inv("status", "--json", **settings).stdout)
        assert report["database"]["is_running"]
        assert report["database"]["folder"] == str(folder / "state" / "postgres")
        inv("full", **settings)
        assert inv("down", **settings).stdout.splitlines() == [
            "down       PostgreSQL stopped",
            "down       local cloud stopped",
        ]
        assert inv("down", **settings).stdout == ""
        assert json.loads(inv("status", "--json", **settings).stdout)["database"]["is_running"] is False
        assert "0 placeholders" in inv("full", **settings).stdout, "faces and photos survive a stop"
    finally:
        inv("down", **settings)
        shutil.rmtree(folder)


def test_the_environment_of_the_local_cloud_leads_boto3_there(
    inv: Inv, cloud_variables: dict[str, str], cloud_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = json.loads(inv("env", "--json").stdout)
    assert shown == {"AWS_ENDPOINT_URL": cloud_endpoint, **cloud_variables} | dict.fromkeys(
        ("AWS_DEFAULT_REGION", "AWS_REGION"), "us-east-1"
    )
    lines = inv("env", "--shell").stdout.splitlines()
    assert lines == inv("env").stdout.splitlines()
    assert lines == [*(f"export {name}={value}" for name, value in shown.items()), "unset AWS_SESSION_TOKEN"]
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    assert boto3.Session().client("rekognition").list_collections()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_target_on_aws_has_no_such_environment(inv: Inv) -> None:
    elsewhere = {"INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": "http://127.0.0.1:9"}
    done = inv("env", check=False, **elsewhere, INVOKE_TARGETS_LOCAL_S3_ENDPOINT="http://127.0.0.1:9")
    assert (done.returncode, "Nothing of the target local is in the local cloud" in done.stderr) == (1, True)
