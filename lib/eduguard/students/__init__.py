"""Students' photos and faces: enrolled, copied, removed, and found in class photos; attendance."""

from eduguard.students.annotation import annotate_photos, name_outputs
from eduguard.students.attendance import read_held, read_roster, report_session, summarise_attendance, take
from eduguard.students.class_photos import (
    Held,
    Likeness,
    Stranger,
    check_strangers,
    check_users,
    find_sightings,
    judge_matches,
    name_empty,
    search_all,
    search_by_faces,
    search_by_users,
)
from eduguard.students.completion import (
    Caution,
    Faces,
    Place,
    complete,
    find_strange,
    index_stored,
    list_face_ids,
    summarise_work,
)
from eduguard.students.copies import choose_copies, remove_from_copy
from eduguard.students.enrolment import (
    Enrolment,
    Request,
    enrol_students,
    plan_enrolments,
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
from eduguard.students.storage import Storage, check_private, prepare_bucket, prepare_collection
from eduguard.students.unenrolment import find_traces, remove_traces
from eduguard.students.users import apply_users, find_mixed, name_mixed, plan_users

__all__ = [
    "Caution",
    "Enrolment",
    "Faces",
    "FolderPhoto",
    "Held",
    "Likeness",
    "PhotoReport",
    "Place",
    "Request",
    "SamplesReport",
    "Storage",
    "Stranger",
    "annotate_photos",
    "apply_users",
    "check_photos",
    "check_private",
    "check_strangers",
    "check_users",
    "choose_copies",
    "complete",
    "enrol_samples",
    "enrol_students",
    "find_files",
    "find_mixed",
    "find_photos",
    "find_sightings",
    "find_strange",
    "find_traces",
    "index_stored",
    "judge_matches",
    "list_face_ids",
    "name_empty",
    "name_mixed",
    "name_outputs",
    "plan_enrolments",
    "plan_pull",
    "plan_push",
    "plan_users",
    "prepare_bucket",
    "prepare_collection",
    "pull",
    "push",
    "read_held",
    "read_picture",
    "read_roster",
    "remove_from_copy",
    "remove_traces",
    "report_session",
    "requests_of",
    "search_all",
    "search_by_faces",
    "search_by_users",
    "summarise",
    "summarise_attendance",
    "summarise_work",
    "take",
]
