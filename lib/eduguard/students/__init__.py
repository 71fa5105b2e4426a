"""Students' photos and faces: enrolled, copied, removed, and found in class photos; attendance."""

from eduguard.students.annotation import annotate_photos, name_outputs
from eduguard.students.attendance import read_roster, report_session, summarise_attendance, take
from eduguard.students.class_photos import (
    check_strangers,
    check_users,
    find_sightings,
    name_empty,
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
from eduguard.students.pictures import read_picture
from eduguard.students.samples import enrol_samples, find_photos
from eduguard.students.storage import Storage, check_private, prepare_bucket
from eduguard.students.unenrolment import find_traces, remove_traces
from eduguard.students.users import apply_users, find_mixed, name_mixed, plan_users

__all__ = [
    "PhotoReport",
    "Request",
    "Storage",
    "annotate_photos",
    "apply_users",
    "check_collection",
    "check_photos",
    "check_private",
    "check_strangers",
    "check_students",
    "check_users",
    "enrol_samples",
    "enrol_students",
    "find_files",
    "find_mixed",
    "find_photos",
    "find_sightings",
    "find_traces",
    "name_empty",
    "name_mixed",
    "name_outputs",
    "plan_pull",
    "plan_push",
    "plan_users",
    "prepare_bucket",
    "pull",
    "push",
    "read_picture",
    "read_roster",
    "remove_traces",
    "report_session",
    "requests_of",
    "search_by_faces",
    "search_by_users",
    "summarise",
    "summarise_attendance",
    "take",
]
