"""AWS's failures happen only when a test asks for them."""

import json
import time
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

ErrorOf = Callable[..., tuple[str, str, int]]
Faults = Callable[..., None]
Photo = Callable[[int, int], bytes]


def test_throttling_stops_after_the_burst(rekognition: Any, calm: Faults, error_of: ErrorOf):
    calm(throttle=2)
    for _ in range(2):
        assert error_of(rekognition.list_collections)[0] == "ThrottlingException"
    rekognition.list_collections()


def test_a_client_that_retries_does_not_notice(cloud: Any, calm: Faults):
    calm(throttle=1, fail=1)
    patient = cloud.client("rekognition", config=Config(retries={"mode": "standard", "total_max_attempts": 3}))
    assert patient.list_collections()["ResponseMetadata"]["RetryAttempts"] == 2


def test_failures_are_of_the_server(rekognition: Any, calm: Faults, error_of: ErrorOf):
    calm(fail=1)
    code, _, status = error_of(rekognition.list_collections)
    assert (code, status) == ("InternalServerError", 500)


@pytest.mark.parametrize(
    ("form", "code", "status"),
    [
        ("ThrottlingException", "ThrottlingException", 400),
        ("ThrottlingException 500", "ThrottlingException", 500),
        ("ProvisionedThroughputExceededException", "ProvisionedThroughputExceededException", 400),
    ],
)
def test_throttling_has_every_form(
    rekognition: Any, calm: Faults, error_of: ErrorOf, form: str, code: str, status: int
):
    calm(throttle=1, throttle_as=form)
    answer = error_of(rekognition.list_collections)
    assert (answer[0], answer[2]) == (code, status)


@pytest.mark.parametrize(("fault", "code"), [("expire", "ExpiredTokenException"), ("deny", "AccessDeniedException")])
def test_requests_are_refused(rekognition: Any, calm: Faults, error_of: ErrorOf, fault: str, code: str):
    calm(**{fault: 1})
    answer = error_of(rekognition.list_collections)
    assert (answer[0], answer[2]) == (code, 400)
    if fault == "deny":
        who = "arn:aws:sts::123456789012:assumed-role/localcloud/session"
        assert answer[1] == f"User: {who} is not authorized to perform: rekognition:ListCollections"
    rekognition.list_collections()


def test_connections_are_lost(rekognition: Any, calm: Faults):
    calm(drop=1)
    with pytest.raises(ConnectionClosedError):
        rekognition.list_collections()
    rekognition.list_collections()


def test_answers_break_off(cloud: Any, calm: Faults):
    calm(cut=1)
    request = {"X_Amz_Target": "RekognitionService.ListCollections", "scope": "rekognition"}
    with pytest.raises(IncompleteRead):
        cloud.send("/", method="POST", body=b"{}", **request)
    assert "CollectionIds" in json.loads(cloud.send("/", method="POST", body=b"{}", **request)[1])


def test_so_many_requests_are_let_through_before(rekognition: Any, calm: Faults, error_of: ErrorOf):
    calm(fail=1, after=2)
    rekognition.list_collections()
    rekognition.list_collections()
    assert error_of(rekognition.list_collections)[0] == "InternalServerError"
    rekognition.list_collections()


def test_quotas_are_counted_by_operation(rekognition: Any, collection: str, calm: Faults):
    calm(tps="aws")
    codes = []
    for _ in range(8):
        try:
            rekognition.describe_collection(CollectionId=collection)
            codes.append("")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes[:5] == [""] * 5
    assert "ProvisionedThroughputExceededException" in codes[5:]
    for _ in range(8):  # 50 a second in this region
        rekognition.list_faces(CollectionId=collection)


def test_one_operation_can_be_picked(rekognition: Any, collection: str, calm: Faults, error_of: ErrorOf):
    calm(throttle=1, operation="ListFaces")
    rekognition.list_collections()
    assert error_of(rekognition.list_faces, CollectionId=collection)[0] == "ThrottlingException"


def test_latency_is_added(rekognition: Any, calm: Faults):
    calm(latency=0.3)
    began = time.perf_counter()
    rekognition.list_collections()
    assert time.perf_counter() - began >= 0.3


def test_a_new_face_is_not_seen_at_once(
    rekognition: Any, collection: str, calm: Faults, photo: Photo, error_of: ErrorOf
):
    calm(visibility_delay=60)
    answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": photo(1, 1)})
    face_id = answer["FaceRecords"][0]["Face"]["FaceId"]
    assert rekognition.list_faces(CollectionId=collection)["Faces"] == []
    message = "faceId was not found in the collection."
    assert error_of(rekognition.search_faces, CollectionId=collection, FaceId=face_id)[1] == message
    image = {"Bytes": photo(1, 2)}
    assert rekognition.search_faces_by_image(CollectionId=collection, Image=image)["FaceMatches"] == []
    calm()
    assert len(rekognition.list_faces(CollectionId=collection)["Faces"]) == 1


def test_tokens_expire(rekognition: Any, collection: str, calm: Faults, class_photo: bytes, error_of: ErrorOf):
    calm(token_lifetime=0.001)
    rekognition.index_faces(CollectionId=collection, Image={"Bytes": class_photo})
    token = rekognition.list_faces(CollectionId=collection, MaxResults=1)["NextToken"]
    time.sleep(0.01)
    code = error_of(rekognition.list_faces, CollectionId=collection, NextToken=token)[0]
    assert code == "InvalidPaginationTokenException"


def test_the_control_page_shows_replaces_and_ends_faults(cloud: Any, calm: Faults):
    calm(throttle=3)
    shown = json.loads(cloud.send("/localcloud/faults", scope="localcloud")[1])
    assert (shown["throttle"], shown["tps"], shown["operation"]) == (3, 0, "")
    assert json.loads(cloud.send("/localcloud/faults", method="DELETE", scope="localcloud")[1])["throttle"] == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b'{"throtle": 1}', "Unknown fault throtle; there are tps, throttle", id="unknown"),
        pytest.param(b'{"throttle": "many"}', "wrong kind of value", id="no number"),
        pytest.param(b'{"throttle_as": "NoException"}', "throttle_as is one of Throttling", id="no throttling"),
        pytest.param(b"[]", "The body is a JSON object", id="list"),
        pytest.param(b"{", "The body is not JSON", id="no JSON"),
    ],
)
def test_a_wrong_fault_is_explained(cloud: Any, body: bytes, words: str):
    status, answer = cloud.send("/localcloud/faults", method="PUT", body=body, scope="localcloud")
    assert status == 400
    assert words in json.loads(answer)["error"]


@pytest.mark.slow
def test_faults_can_be_given_at_the_start(own_state: Path, launch: Callable[..., Any], command: Callable[..., Any]):
    server = launch(own_state, "--fault", "throttle=1", "--fault", "tps=aws")
    assert json.loads(server.send("/localcloud/faults", scope="localcloud")[1])["throttle"] == 1
    done = command("serve", "--state", str(own_state / "other"), "--fault", "speed=1", check=False)
    assert (done.returncode, done.stderr.splitlines()[-1][:20]) == (1, "Unknown fault speed;")
