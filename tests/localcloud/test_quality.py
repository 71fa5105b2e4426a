"""QualityFilter refuses bad pictures of faces, and gives the reason."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from localcloud.rekognition.detection import Portrait
from localcloud.rekognition.faces import Face
from localcloud.rekognition.measures import Pose, Quality
from localcloud.rekognition.quality import BARS, _reasons


def face_of(*, width: float = 100, score: float = 0.95) -> Face:
    return Face(box=(10, 10, width, 120), landmarks=((0, 0),) * 5, score=score)


GOOD = Portrait(
    face=face_of(),
    size=(400, 400),
    pose=Pose(roll=90, yaw=5, pitch=-5),
    quality=Quality(brightness=50, sharpness=50),
)

Photo = Callable[[int, int], bytes]
Change = Callable[[Image.Image], Image.Image]


def changed(content: bytes, change: Change) -> bytes:
    stream = io.BytesIO()
    change(Image.open(io.BytesIO(content)).convert("RGB")).save(stream, "PNG")
    return stream.getvalue()


def small(width: int) -> Change:
    """Make the face about `width` pixels wide, on a canvas that is large enough."""

    def change(picture: Image.Image) -> Image.Image:
        canvas = Image.new("RGB", (200, 200), (128, 128, 128))
        scale = width / (picture.width * 0.35)
        canvas.paste(picture.resize((round(picture.width * scale), round(picture.height * scale))), (40, 40))
        return canvas

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "reason", "change"),
    [
        pytest.param(
            "AUTO", "LOW_SHARPNESS", lambda picture: picture.filter(ImageFilter.GaussianBlur(9)), id="blurred"
        ),
        pytest.param("LOW", "LOW_SHARPNESS", lambda picture: picture.filter(ImageFilter.GaussianBlur(9)), id="low"),
        pytest.param(
            "HIGH", "LOW_BRIGHTNESS", lambda picture: ImageEnhance.Brightness(picture).enhance(0.2), id="dark"
        ),
        pytest.param("HIGH", "SMALL_BOUNDING_BOX", small(40), id="small"),
    ],
)
def test_a_bad_picture_is_not_indexed(
    rekognition: Any, collection: str, portrait: Callable[[str], bytes], level: str, reason: str, change: Change
):
    image = {"Bytes": changed(portrait("obama-1.jpg"), change)}
    refused = rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter=level)
    assert refused["FaceRecords"] == []
    assert reason in refused["UnindexedFaces"][0]["Reasons"]
    assert refused["UnindexedFaces"][0]["FaceDetail"]["Quality"].keys() == {"Brightness", "Sharpness"}
    taken = rekognition.index_faces(CollectionId=collection, Image=image, QualityFilter="NONE")
    assert len(taken["FaceRecords"]) == 1


def test_a_face_that_lies_is_as_good_as_an_upright_one(
    rekognition: Any, collection: str, portrait: Callable[[str], bytes]
):
    lying = changed(portrait("obama-1.jpg"), lambda picture: picture.rotate(90, expand=True))
    named = {"CollectionId": collection, "Image": {"Bytes": lying}, "QualityFilter": "HIGH"}
    (record,) = rekognition.index_faces(**named)["FaceRecords"]
    assert record["FaceDetail"]["Pose"]["Roll"] == pytest.approx(-90, abs=15)


@pytest.mark.parametrize(
    ("reason", "bad"),
    [
        pytest.param("EXTREME_POSE", {"pose": Pose(roll=0, yaw=-61, pitch=0)}, id="yaw"),
        pytest.param("EXTREME_POSE", {"pose": Pose(roll=0, yaw=0, pitch=61)}, id="pitch"),
        pytest.param("LOW_BRIGHTNESS", {"quality": Quality(brightness=3, sharpness=50)}, id="dark"),
        pytest.param("LOW_SHARPNESS", {"quality": Quality(brightness=50, sharpness=1)}, id="blurred"),
        pytest.param("LOW_CONFIDENCE", {"face": face_of(score=0.72)}, id="unsure"),
        pytest.param("SMALL_BOUNDING_BOX", {"face": face_of(width=15)}, id="small"),
    ],
)
def test_each_measure_has_its_reason(reason: str, bad: dict[str, Any]):
    assert _reasons(replace(GOOD, **bad), BARS["LOW"]) == [reason]
    assert _reasons(GOOD, BARS["HIGH"]) == []


def test_a_face_of_which_the_network_sees_little_is_of_low_quality(
    rekognition: Any, collection: str, portrait: Callable[[str], bytes]
):
    coarse = io.BytesIO()
    Image.open(io.BytesIO(portrait("biden-1.jpg"))).save(coarse, "JPEG", quality=5)
    image = {"CollectionId": collection, "Image": {"Bytes": coarse.getvalue()}, "QualityFilter": "MEDIUM"}
    unindexed = rekognition.index_faces(**image)["UnindexedFaces"]
    assert [face["Reasons"] for face in unindexed] == [["LOW_FACE_QUALITY"]]


@pytest.mark.slow
def test_good_portraits_pass_the_default(
    rekognition: Any, collection: str, labelled: dict[str, list[str]], portrait: Callable[[str], bytes]
):
    for name, people in labelled.items():
        answer = rekognition.index_faces(CollectionId=collection, Image={"Bytes": portrait(name)})
        assert len(answer["FaceRecords"]) == len(people), name
        assert answer["UnindexedFaces"] == []


def test_a_search_with_a_filter_sees_no_bad_face(rekognition: Any, collection: str, portrait: Callable[[str], bytes]):
    blurred = changed(portrait("obama-1.jpg"), lambda picture: picture.filter(ImageFilter.GaussianBlur(9)))
    image = {"Bytes": blurred}
    assert rekognition.search_faces_by_image(CollectionId=collection, Image=image)["FaceMatches"] == []
    with pytest.raises(rekognition.exceptions.InvalidParameterException):
        rekognition.search_faces_by_image(CollectionId=collection, Image=image, QualityFilter="AUTO")
