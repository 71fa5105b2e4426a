"""Students' photos and faces: enrolled, copied, removed, and found in class photos; attendance."""

from eduguard.students.attendance import (
    UNKNOWN,
    Roster,
    describe_rest,
    name_session,
    present_students,
    read_roster,
    read_session,
    record,
)
from eduguard.students.class_photos import (
    Sighting,
    find_sightings,
    search_by_faces,
    search_by_users,
)
from eduguard.students.enrolment import (
    Request,
    check_collection,
    check_students,
    enrol_students,
    requests_of,
    summarise,
)
from eduguard.students.photos import (
    PhotoReport,
    check_photos,
    find_files,
    plan_pull,
    plan_push,
    pull,
    push,
)
from eduguard.students.pictures import Picture, draw_names, read_picture
from eduguard.students.samples import enrol_samples, find_photos
from eduguard.students.storage import Storage, check_private, prepare_bucket
from eduguard.students.unenrolment import find_traces, remove_traces
from eduguard.students.users import apply_users, plan_users

__all__ = [
    "UNKNOWN",
    "PhotoReport",
    "Picture",
    "Request",
    "Roster",
    "Sighting",
    "Storage",
    "apply_users",
    "check_collection",
    "check_photos",
    "check_private",
    "check_students",
    "describe_rest",
    "draw_names",
    "enrol_samples",
    "enrol_students",
    "find_files",
    "find_photos",
    "find_sightings",
    "find_traces",
    "name_session",
    "plan_pull",
    "plan_push",
    "plan_users",
    "prepare_bucket",
    "present_students",
    "pull",
    "push",
    "read_picture",
    "read_roster",
    "read_session",
    "record",
    "remove_traces",
    "requests_of",
    "search_by_faces",
    "search_by_users",
    "summarise",
]
