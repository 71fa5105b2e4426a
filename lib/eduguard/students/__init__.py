"""Students' photos and faces: enrolled, copied, removed, and found in class photos; attendance."""

from eduguard.students.annotation import annotate_photos, name_outputs
from eduguard.students.attendance import read_roster, report_session, summarise_attendance, take
from eduguard.students.class_photos import find_sightings, search_all, search_by_faces, search_by_users
from eduguard.students.enrolment import (
    Request,
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
from eduguard.students.samples import FolderPhoto, SamplesReport, enrol_samples, find_photos
from eduguard.students.storage import Storage, check_private, prepare_bucket
from eduguard.students.unenrolment import find_traces, remove_traces
from eduguard.students.users import apply_users, plan_users

__all__ = [
    "FolderPhoto",
    "PhotoReport",
    "Request",
    "SamplesReport",
    "Storage",
    "annotate_photos",
    "apply_users",
    "check_photos",
    "check_private",
    "enrol_samples",
    "enrol_students",
    "find_files",
    "find_photos",
    "find_sightings",
    "find_traces",
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
    "search_all",
    "search_by_faces",
    "search_by_users",
    "summarise",
    "summarise_attendance",
    "take",
]
