"""For any request, the answer is one that AWS could give: JSON, a known error, never a failure of the server."""

import base64
import json
import random
import string
from typing import Any
from uuid import uuid4

import botocore.session
import pytest
from botocore.model import Shape

from localcloud.rekognition.responses import OPERATIONS

MODEL = botocore.session.get_session().get_service_model("rekognition")
FRAMEWORK = {"ValidationException", "SerializationException"}
NAMES = ("fuzz", "other", "u", "", "ñ", "x" * 300)


def invent(shape: Shape, dice: random.Random) -> Any:  # noqa: PLR0911 -- one a kind of shape
    """Return a value for a shape, sometimes of the wrong kind."""
    if dice.random() < 0.03:
        return dice.choice([None, 5, -1.5, "x", [], {}, True, [None], {"a": None}])
    kind = shape.type_name
    if kind == "structure":
        required = shape.required_members
        return {
            name: invent(member, dice)
            for name, member in shape.members.items()
            if dice.random() < (0.95 if name in required else 0.4)
        }
    if kind == "list":
        return [invent(shape.member, dice) for _ in range(dice.choice([0, 1, 1, 2, 5]))]
    if kind == "map":
        return {invent_text(shape.key, dice): invent(shape.value, dice) for _ in range(dice.choice([0, 1, 3]))}
    if kind in {"integer", "long", "float", "double"}:
        return dice.choice([-1, 0, 1, 2, 50, 80.5, 100, 4096, 4097, 2**40])
    if kind == "boolean":
        return dice.choice([True, False])
    if kind == "blob":
        content = dice.choice([b"", b"text", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
        return dice.choice([base64.b64encode(content).decode(), "***"])
    return invent_text(shape, dice)


def invent_text(shape: Shape, dice: random.Random) -> str:
    """Return a text for a shape, often a valid one."""
    if "enum" in shape.metadata and dice.random() < 0.8:
        return str(dice.choice(shape.metadata["enum"]))
    if shape.name in {"FaceId", "ImageId"}:
        return str(uuid4())
    if dice.random() < 0.1:
        return "".join(dice.choices(string.printable, k=dice.choice([1, 20, 200])))
    return dice.choice(NAMES)


@pytest.mark.sampled("IndexFaces", "ListFaces", "SearchUsersByImage")
@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_any_request_gets_an_answer_that_aws_could_give(cloud: Any, rekognition: Any, operation: str):
    dice = random.Random(operation)  # noqa: S311 -- repeatable, not secret
    for name in NAMES[:2]:
        if name not in rekognition.list_collections()["CollectionIds"]:
            rekognition.create_collection(CollectionId=name)
    model = MODEL.operation_model(operation)
    known = {shape.name for shape in model.error_shapes} | FRAMEWORK
    for _ in range(25):
        parameters = invent(model.input_shape, dice)
        status, body = cloud.send(
            "/",
            method="POST",
            body=json.dumps(parameters).encode(),
            X_Amz_Target=f"RekognitionService.{operation}",
            scope="rekognition",
            Content_Type="application/x-amz-json-1.1",
        )
        answer = json.loads(body)
        assert status in {200, 400}, (parameters, answer)
        if status == 200:
            assert set(answer) <= set(model.output_shape.members), (parameters, answer)
        else:
            assert answer["__type"] in known, (parameters, answer)
