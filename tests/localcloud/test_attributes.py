"""Every requested attribute of a face is there, in AWS's order, and says that it was not measured."""

from collections.abc import Callable
from typing import Any

import pytest

Photo = Callable[[int, int], bytes]
DEFAULT = ["BoundingBox", "Landmarks", "Pose", "Quality", "Confidence"]
FIVE = ["eyeLeft", "eyeRight", "mouthLeft", "mouthRight", "nose"]


def test_the_five_landmarks_come_in_the_order_of_aws(rekognition: Any, photo: Photo):
    (face,) = rekognition.detect_faces(Image={"Bytes": photo(1, 1)})["FaceDetails"]
    assert list(face) == DEFAULT
    assert [landmark["Type"] for landmark in face["Landmarks"]] == FIVE
    place = {landmark["Type"]: (landmark["X"], landmark["Y"]) for landmark in face["Landmarks"]}
    assert place["eyeLeft"][0] < place["nose"][0] < place["eyeRight"][0]
    assert place["eyeLeft"][1] < place["nose"][1] < place["mouthLeft"][1]


def test_with_all_no_key_is_missing_and_nothing_pretends_to_be_measured(rekognition: Any, photo: Photo):
    model = rekognition.meta.service_model
    (face,) = rekognition.detect_faces(Image={"Bytes": photo(1, 1)}, Attributes=["ALL"])["FaceDetails"]
    assert list(face) == list(model.shape_for("FaceDetail").members)
    for name in ("Smile", "Eyeglasses", "Sunglasses", "Gender", "Beard", "Mustache", "EyesOpen", "MouthOpen"):
        assert list(face[name]) == ["Value", "Confidence"]
        assert face[name]["Confidence"] == 50
    assert face["FaceOccluded"] == {"Value": False, "Confidence": 50}
    assert list(face["EyeDirection"]) == ["Yaw", "Pitch", "Confidence"]
    assert face["AgeRange"] == {"Low": 0, "High": 100}
    confidences = [emotion["Confidence"] for emotion in face["Emotions"]]
    assert len({emotion["Type"] for emotion in face["Emotions"]}) == 8
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(100)


def test_with_all_there_are_thirty_landmarks_and_the_pupils_are_the_eyes(rekognition: Any, photo: Photo):
    (face,) = rekognition.detect_faces(Image={"Bytes": photo(1, 1)}, Attributes=["ALL"])["FaceDetails"]
    place = {landmark["Type"]: (landmark["X"], landmark["Y"]) for landmark in face["Landmarks"]}
    known = rekognition.meta.service_model.shape_for("LandmarkType").enum
    assert sorted(place) == sorted(known)
    assert [landmark["Type"] for landmark in face["Landmarks"]] == FIVE + [name for name in known if name not in FIVE]
    assert (place["leftPupil"], place["rightPupil"]) == (place["eyeLeft"], place["eyeRight"])
    assert place["chinBottom"][1] > place["mouthDown"][1] > place["mouthUp"][1] > place["nose"][1]
    assert place["upperJawlineLeft"][0] < place["leftEyeLeft"][0] < place["leftEyeRight"][0] < place["rightEyeLeft"][0]


def test_single_attributes_come_beside_the_default_ones(rekognition: Any, collection: str, photo: Photo):
    image = {"Bytes": photo(1, 1)}
    (face,) = rekognition.detect_faces(Image=image, Attributes=["DEFAULT", "AGE_RANGE", "SMILE"])["FaceDetails"]
    assert list(face) == ["BoundingBox", "AgeRange", "Smile", *DEFAULT[1:]]
    assert len(face["Landmarks"]) == 5
    answer = rekognition.index_faces(CollectionId=collection, Image=image, DetectionAttributes=["ALL"])
    assert len(answer["FaceRecords"][0]["FaceDetail"]["Landmarks"]) == 30
