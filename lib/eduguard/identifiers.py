"""External image ids: what we call a face when it is indexed, which never changes; all of it pure."""

import re

TEMPORARY = "temp_attendance_"
# The last `-photo-{n}` is the suffix: a student's id may contain the word itself. Characters and length are those that
# the Rekognition API reference allows in an ExternalImageId.
_EXTERNAL_IMAGE_ID = re.compile(r"(?=.{1,255}\Z)(?P<student_id>[a-zA-Z0-9_.\-:]+)-photo-(?P<number>[1-9][0-9]*)\Z")


def external_image_id(student_id: str, number: int) -> str:
    """Return the external image id of a student's photo; number starts at 1."""
    return f"{student_id}-photo-{number}"


def split_external_image_id(text: str) -> tuple[str, int] | None:
    """Return student id and photo number, or None where the text is not an external image id of ours."""
    match = _EXTERNAL_IMAGE_ID.match(text)
    return (match["student_id"], int(match["number"])) if match else None


def is_student_id(text: str) -> bool:
    """Say whether external image ids can be made of the text."""
    return split_external_image_id(external_image_id(text, 1)) == (text, 1)
