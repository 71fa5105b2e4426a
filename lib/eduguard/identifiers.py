"""The spelling of external image ids, keys of photos and the placeholder; pure functions."""

import re

PLACEHOLDER = "placeholder"
"""the value of student_faces.face_id before the first sync"""
TEMPORARY = "temp_attendance_"
PHOTOS = "students/"
"""the prefix of the keys of all students' photos"""
KEY_FORM = "students/{student_id}/photo-{n}.jpg"
EXTERNAL_IMAGE_ID_FORM = "{student_id}-photo-{n}"
SCHOOL_TAG = "eduguard-school"
"""the key of a collection's tag: its value is the id of the school whose faces are in it"""
# The last `-photo-{n}` is the suffix: a student's id may contain the word itself. Characters and length are those that
# the Rekognition API reference allows in an ExternalImageId.
_EXTERNAL_IMAGE_ID = re.compile(r"(?=.{1,255}\Z)(?P<student_id>[a-zA-Z0-9_.\-:]+)-photo-(?P<number>[1-9][0-9]*)\Z")
_KEY = re.compile(r"students/(?P<student_id>[^/]+)/photo-(?P<number>[1-9][0-9]*)\.jpg\Z")


def external_image_id(student_id: str, number: int) -> str:
    """Return the external image id of a student's photo; number starts at 1."""
    return f"{student_id}-photo-{number}"


def split_external_image_id(text: str) -> tuple[str, int] | None:
    """Return student id and photo number, or None if the text is not an external image id of ours."""
    match = _EXTERNAL_IMAGE_ID.match(text)
    return (match["student_id"], int(match["number"])) if match else None


def is_student_id(text: str) -> bool:
    """Say whether external image ids can be made from the text."""
    return split_external_image_id(external_image_id(text, 1)) == (text, 1)


def photo_key(student_id: str, number: int) -> str:
    """Return the key of a student's photo in the bucket; number starts at 1."""
    return f"{PHOTOS}{student_id}/photo-{number}.jpg"


def photos_prefix(student_id: str) -> str:
    """Return the prefix of the keys of a student's photos."""
    return f"{PHOTOS}{student_id}/"


def split_photo_key(key: str) -> tuple[str, int] | None:
    """Return student id and photo number, or None if the text is not the key of a student's photo."""
    match = _KEY.match(key)
    if match is None or not is_student_id(match["student_id"]):
        return None
    return match["student_id"], int(match["number"])
