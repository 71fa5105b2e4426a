"""Requests are checked against the service model, with AWS's messages."""

import json
import warnings
from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel

from localcloud.rekognition import validation
from localcloud.rekognition.exceptions import FrameworkError
from localcloud.rekognition.validation import read_request

MODEL: ServiceModel = botocore.session.get_session().get_service_model("rekognition")


def refused(operation: str, **parameters: Any) -> str:
    shape = MODEL.operation_model(operation).input_shape
    with pytest.raises(FrameworkError) as caught:
        read_request(json.dumps(parameters).encode(), shape)
    assert json.loads(caught.value.body())["__type"] == "ValidationException"
    return caught.value.message


def one(rest: str) -> str:
    return f"1 validation error detected: {rest}"


@pytest.mark.parametrize(
    ("operation", "parameters", "text"),
    [
        pytest.param(
            "DescribeCollection",
            {},
            one("Value null at 'collectionId' failed to satisfy constraint: Member must not be null"),
            id="missing",
        ),
        pytest.param(
            "DescribeCollection",
            {"CollectionId": None},
            one("Value null at 'collectionId' failed to satisfy constraint: Member must not be null"),
            id="null",
        ),
        pytest.param(
            "DescribeCollection",
            {"CollectionId": "a/b"},
            one(
                "Value 'a/b' at 'collectionId' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: [a-zA-Z0-9_.\-]+"
            ),
            id="pattern",
        ),
        pytest.param(
            "DescribeCollection",
            {"CollectionId": "a\n"},
            one(
                "Value 'a\n' at 'collectionId' failed to satisfy constraint: "
                r"Member must satisfy regular expression pattern: [a-zA-Z0-9_.\-]+"
            ),
            id="pattern up to the last character",
        ),
        pytest.param(
            "DescribeCollection",
            {"CollectionId": "x" * 256},
            one(
                f"Value '{'x' * 256}' at 'collectionId' failed to satisfy constraint: "
                "Member must have length less than or equal to 255"
            ),
            id="too long",
        ),
        pytest.param(
            "DetectFaces",
            {"Image": {"Bytes": ""}},
            one(
                "Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'image.bytes' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
            id="empty picture",
        ),
        pytest.param(
            "ListFaces",
            {"CollectionId": "c", "MaxResults": 4097},
            one(
                "Value '4097' at 'maxResults' failed to satisfy constraint: "
                "Member must have value less than or equal to 4096"
            ),
            id="range",
        ),
        pytest.param(
            "DeleteFaces",
            {"CollectionId": "c", "FaceIds": []},
            one(
                "Value '[]' at 'faceIds' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1"
            ),
            id="empty list",
        ),
        pytest.param(
            "DeleteFaces",
            {"CollectionId": "c", "FaceIds": ["x"]},
            one(
                "Value '[x]' at 'faceIds' failed to satisfy constraint: Member must satisfy constraint: "
                "[Member must satisfy regular expression pattern: "
                "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}]"
            ),
            id="item of a list",
        ),
        pytest.param(
            "SearchFacesByImage",
            {"CollectionId": "c", "Image": {}, "QualityFilter": "BEST"},
            one(
                "Value 'BEST' at 'qualityFilter' failed to satisfy constraint: "
                "Member must satisfy enum value set: [NONE, AUTO, LOW, MEDIUM, HIGH]"
            ),
            id="enum",
        ),
        pytest.param(
            "DetectFaces",
            {"Image": {"S3Object": {"Bucket": "ab"}}},
            one(
                "Value 'ab' at 'image.s3Object.bucket' failed to satisfy constraint: "
                "Member must have length greater than or equal to 3"
            ),
            id="nested",
        ),
        pytest.param(
            "CreateCollection",
            {"CollectionId": "", "Tags": {"k": "v"}},
            "2 validation errors detected: Value '' at 'collectionId' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1; Value '' at 'collectionId' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.\-]+",
            id="two at once",
        ),
        pytest.param(
            "CreateCollection",
            {"CollectionId": "c", "Tags": {"aws:k": "v"}},
            one(
                "Value '{aws:k=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: "
                "[Member must have length less than or equal to 128, "
                "Member must have length greater than or equal to 1, "
                r"Member must satisfy regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]*$]"
            ),
            id="key of a map",
        ),
        pytest.param(
            "CreateCollection",
            {"CollectionId": "c", "Tags": {"good": "v", "aws:k": "v"}},
            one(
                "Value '{good=v, aws:k=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: "
                "[Member must have length less than or equal to 128, "
                "Member must have length greater than or equal to 1, "
                r"Member must satisfy regular expression pattern: ^(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]*$]"
            ),
            id="one key of a map beside a good one",
        ),
        pytest.param(
            "DescribeCollection",
            {"CollectionId": 5},
            one("Value '5' at 'collectionId' failed to satisfy constraint: Member must be of type string"),
            id="type",
        ),
        pytest.param(
            "ListFaces",
            {"CollectionId": "c", "MaxResults": True},
            one("Value 'true' at 'maxResults' failed to satisfy constraint: Member must be of type integer"),
            id="a boolean is not a number",
        ),
    ],
)
def test_a_broken_constraint_is_named(operation: str, parameters: dict[str, Any], text: str):
    assert refused(operation, **parameters) == text


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="malformed JSON"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"[]", id="not an object"),
        pytest.param(b'{"Image": {"Bytes": "***"}}', id="bad base64"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_serialization_exception(body: bytes):
    with pytest.raises(FrameworkError, match="SerializationException"):
        read_request(body, MODEL.operation_model("DetectFaces").input_shape)


def test_what_is_in_order_passes_with_bytes_decoded_and_strangers_dropped():
    body = b'{"Image": {"Bytes": "aGk=", "S3Object": null}, "Attributes": ["ALL"], "Stranger": 1}'
    assert read_request(body, MODEL.operation_model("DetectFaces").input_shape) == {
        "Image": {"Bytes": b"hi"},
        "Attributes": ["ALL"],
    }


def test_every_pattern_of_the_model_compiles_without_a_warning():
    patterns = {shape.metadata["pattern"] for shape in _string_shapes() if "pattern" in shape.metadata}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(validation._compiled(pattern) for pattern in patterns)
    assert len(patterns) > 20


def _string_shapes() -> list[Any]:
    return [shape for shape in map(MODEL.shape_for, MODEL.shape_names) if shape.type_name == "string"]
