"""What a target names and is not there is told; servers come up and go down, and any by its URL works like ours."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_a_local_cloud_by_its_url_works_like_any_endpoint(inv: Inv, full: Database, cloud_endpoint: str) -> None:
    done = inv(
        "sync-faces",
        INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT=cloud_endpoint,
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",
    )
    assert "18 unchanged" in done.stdout


def test_a_database_server_that_is_down_is_named(inv: Inv) -> None:
    done = inv("seed", check=False, DATABASE_URL="postgresql://nobody:secret@127.0.0.1:9/school")
    assert done.returncode == 1
    assert "Cannot connect to postgresql://nobody@127.0.0.1:9/school" in done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_an_unknown_target_is_refused_with_the_known_names(inv: Inv) -> None:
    done = inv("status", check=False, INVOKE_TARGET="stagging")
    assert done.returncode == 1
    assert "in invoke.yaml, but: local, production, staging" in done.stderr


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
            "down     PostgreSQL stopped",
            "down     local cloud stopped",
        ]
        assert inv("down", **settings).stdout == ""
        assert json.loads(inv("status", "--json", **settings).stdout)["database"]["is_running"] is False
        assert "0 placeholders" in inv("full", **settings).stdout, "faces and photos survive a stop"
    finally:
        inv("down", **settings)
        shutil.rmtree(folder)
