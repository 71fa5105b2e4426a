"""Clients that we did not write judge the local cloud: the AWS CLI and two SDKs for JavaScript.

They are installed once into the cache of pytest, and skipped loudly only where they cannot be.
"""

import fcntl
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

CLIENTS = Path(__file__).parent / "clients"
SAMPLES = Path(__file__).parents[2] / "seed_data" / "photos" / "students"
AWS_CLI = "awscli==1.45.11"
NODE_PACKAGES = ("@aws-sdk/client-rekognition@3", "@aws-sdk/client-s3@3", "aws-sdk@2")
_NUMBERS = count(1)

Aws = Callable[..., Any]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def installed(request: pytest.FixtureRequest) -> Callable[[str, Callable[[Path], None]], Path]:
    """Install a client once, for the first test that needs it."""
    cache = request.config.cache
    assert cache is not None
    folder = cache.mkdir("clients")

    def install(name: str, work: Callable[[Path], None]) -> Path:
        with (folder / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / name / "ready").exists():
                shutil.rmtree(folder / name, ignore_errors=True)
                (folder / name).mkdir()
                try:
                    work(folder / name)
                except (subprocess.CalledProcessError, subprocess.TimeoutExpired, FileNotFoundError) as error:
                    pytest.skip(f"CANNOT INSTALL {name}: {error}")
                (folder / name / "ready").touch()
        return folder / name

    return install


@pytest.fixture(scope="session")
def environment(cloud: Any) -> dict[str, str]:
    """The environment of the clients."""
    return {
        "PATH": os.environ["PATH"],
        **cloud.variables,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture(scope="session")
def cli(installed: Callable[..., Path]) -> Path:
    """The folder with the AWS CLI, in its own environment because it pins botocore."""

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=True, symlinks=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", AWS_CLI]
        subprocess.run(pip, check=True, timeout=300, capture_output=True)

    return installed("aws-cli", install) / "bin"


@pytest.fixture(scope="session")
def node(installed: Callable[..., Path]) -> Path:
    """The folder with the SDKs for JavaScript."""

    def install(folder: Path) -> None:
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, *NODE_PACKAGES]
        subprocess.run(npm, check=True, timeout=300, capture_output=True)

    return installed("javascript", install)


@pytest.fixture(scope="session")
def aws(cli: Path, environment: dict[str, str]) -> Iterator[Aws]:
    """Run one command of the AWS CLI; return its answer, or its error when asked for."""
    process = subprocess.Popen(
        [cli / "python", CLIENTS / "several_commands.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin
    assert process.stdout

    def run(*arguments: str, fails: bool = False) -> Any:
        process.stdin.write(json.dumps(["rekognition", *arguments]) + "\n")
        process.stdin.flush()
        code, output, errors = json.loads(process.stdout.readline())
        assert (code != 0) == fails, errors
        return errors.strip() if fails else json.loads(output or "{}")

    with process:
        yield run
        process.stdin.close()


@pytest.fixture
def name() -> str:
    """The name of a collection that does not exist."""
    return f"client-{os.getpid()}-{next(_NUMBERS)}"


def picture(student: int, number: int) -> str:
    return f"fileb://{SAMPLES}/student-{student:03}/photo-{number}.jpg"


def test_every_collection_command_of_the_aws_cli_works(aws: Aws, name: str):
    here = ("--collection-id", name)
    assert aws("create-collection", *here, "--tags", "a=1")["StatusCode"] == 200
    arn = aws("describe-collection", *here)["CollectionARN"]
    assert name in aws("list-collections")["CollectionIds"]
    faces = [
        aws("index-faces", *here, "--image-bytes", picture(1, number), "--external-image-id", f"s-{number}")[
            "FaceRecords"
        ][0]["Face"]["FaceId"]
        for number in (1, 2, 3)
    ]
    assert [face["FaceId"] for face in aws("list-faces", *here)["Faces"]] == sorted(faces)
    assert len(aws("list-faces", *here, "--page-size", "2")["Faces"]) == 3
    assert len(aws("list-faces", *here, "--max-results", "2")["Faces"]) == 2
    cut = aws("list-faces", *here, "--max-items", "1")
    assert len(aws("list-faces", *here, "--starting-token", cut["NextToken"])["Faces"]) == 2
    assert len(aws("list-faces", *here, "--face-ids", faces[0])["Faces"]) == 1
    assert len(aws("search-faces", *here, "--face-id", faces[0])["FaceMatches"]) == 2
    found = aws("search-faces-by-image", *here, "--image-bytes", picture(1, 1), "--max-faces", "1")
    assert found["FaceMatches"][0]["Face"]["FaceId"] == faces[0]
    assert len(aws("detect-faces", "--image-bytes", picture(1, 1), "--attributes", "ALL")["FaceDetails"]) == 1
    same = aws("compare-faces", "--source-image-bytes", picture(1, 1), "--target-image-bytes", picture(1, 2))
    assert len(same["FaceMatches"]) == 1
    user = (*here, "--user-id", "u")
    aws("create-user", *user)
    assert aws("associate-faces", *user, "--face-ids", *faces[:2])["UserStatus"] == "UPDATING"
    assert aws("list-users", *here)["Users"] == [{"UserId": "u", "UserStatus": "ACTIVE"}]
    assert len(aws("list-faces", *user)["Faces"]) == 2
    assert aws("search-users", *here, "--face-id", faces[2])["UserMatches"][0]["User"]["UserId"] == "u"
    assert aws("search-users-by-image", *here, "--image-bytes", picture(1, 3))["UserMatches"]
    assert aws("delete-faces", *here, "--face-ids", faces[0])["UnsuccessfulFaceDeletions"]
    assert len(aws("disassociate-faces", *user, "--face-ids", *faces[:2])["DisassociatedFaces"]) == 2
    aws("delete-user", *user)
    assert aws("delete-faces", *here, "--face-ids", *faces)["UnsuccessfulFaceDeletions"] == []
    aws("tag-resource", "--resource-arn", arn, "--tags", "b=2")
    aws("untag-resource", "--resource-arn", arn, "--tag-keys", "a")
    assert aws("list-tags-for-resource", "--resource-arn", arn)["Tags"] == {"b": "2"}
    assert aws("delete-collection", *here)["StatusCode"] == 200


def test_errors_read_as_those_of_aws(aws: Aws, name: str):
    assert aws("list-faces", "--collection-id", name, fails=True) == (
        "An error occurred (ResourceNotFoundException) when calling the ListFaces operation: "
        f"The collection id: {name} does not exist"
    )
    assert "(ValidationException)" in aws("list-faces", "--collection-id", "a/b", fails=True)
    assert "(UnknownOperationException)" in aws("describe-projects", fails=True)


def test_the_command_of_the_troubleshooting_guide_prints_the_faces(
    cli: Path, environment: dict[str, str], cloud: Any, rekognition: Any, collection: str, photo: Any
):
    rekognition.index_faces(
        CollectionId=collection, Image={"Bytes": photo(1, 1)}, ExternalImageId="student-001-photo-1"
    )
    command = ["rekognition", "list-faces", "--collection-id", collection, "--endpoint-url", cloud.endpoint]
    done = subprocess.run(
        [cli / "python", "-m", "awscli", *command], capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(done.stdout)["Faces"][0]["ExternalImageId"] == "student-001-photo-1"


def test_the_sdk_for_javascript_3_understands_every_answer(node: Path, environment: dict[str, str], name: str):
    seen = _run_script("version_3.mjs", node, environment, name)
    faces = sorted(seen["faces"])
    assert seen["created"]["CollectionArn"].startswith("aws:rekognition:")
    assert seen["isDate"]
    assert name in seen["collections"]["CollectionIds"]
    assert seen["pages"] == [faces[:2], faces[2:]]
    assert [match["Similarity"] for match in seen["found"]["FaceMatches"]] == [100, 100]
    assert len(seen["foundByImage"]["FaceMatches"]) == 3
    assert len(seen["detected"]["FaceDetails"]) == len(seen["compared"]["FaceMatches"]) == 1
    assert seen["associated"]["AssociatedFaces"] == [{"FaceId": seen["faces"][0]}]
    assert seen["users"]["Users"] == [{"UserId": "u", "UserStatus": "ACTIVE"}]
    assert seen["foundUsers"]["UserMatches"][0]["User"]["UserId"] == "u"
    assert seen["foundUsersByImage"]["UserMatches"][0]["Similarity"] == 100
    assert seen["kept"]["DeletedFaces"] == [seen["faces"][1]]
    assert seen["kept"]["UnsuccessfulFaceDeletions"][0]["Reasons"] == ["ASSOCIATED_TO_AN_EXISTING_USER"]
    assert len(seen["released"]["DisassociatedFaces"]) == 1
    assert seen["tags"]["Tags"] == {"more": "yes"}
    assert seen["object"] == [{"who": "v3"}, True]
    assert seen["fromBucket"] == 1
    assert seen["missing"] == ["ResourceNotFoundException", f"The collection id: {name} does not exist", 400, True]
    assert seen["invalid"][0] == "ValidationException"
    assert seen["isTyped"]


def test_the_sdk_for_javascript_2_understands_them_too(node: Path, environment: dict[str, str], name: str):
    seen = _run_script("version_2.cjs", node, environment, name)
    assert seen["listed"][0]["FaceId"] == seen["indexed"]["FaceId"] == seen["found"][0]["Face"]["FaceId"]
    assert seen["missing"] == ["ResourceNotFoundException", f"The collection id: {name} does not exist"]


def _run_script(script: str, node: Path, environment: dict[str, str], collection: str) -> Any:
    # Node searches for a module beside the script that imports it.
    copied = shutil.copy(CLIENTS / script, node)
    pictures = [SAMPLES / "student-001" / f"photo-{number}.jpg" for number in (1, 2)]
    done = subprocess.run(
        ["node", copied, *pictures, collection],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
