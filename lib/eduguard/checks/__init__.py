"""Check everything and say what is wrong: doctor, status, verify. Read-only."""

from eduguard.checks.doctor import CHECKS, examine, find_states
from eduguard.checks.evidence import Evidence, PlaceEvidence
from eduguard.checks.findings import (
    BROKEN,
    DRIFT,
    OK,
    Command,
    Finding,
    compare_places,
    judge_places,
    judge_plan,
    worst,
)
from eduguard.checks.iam import iam_policies
from eduguard.checks.overview import summarise
from eduguard.checks.readiness import find_missing
from eduguard.checks.status import read_report
from eduguard.checks.verification import find_incomplete, read_enrolled_photos, recognise_photos, require_right

__all__ = [
    "BROKEN",
    "CHECKS",
    "DRIFT",
    "OK",
    "Command",
    "Evidence",
    "Finding",
    "PlaceEvidence",
    "compare_places",
    "examine",
    "find_incomplete",
    "find_missing",
    "find_states",
    "iam_policies",
    "judge_places",
    "judge_plan",
    "read_enrolled_photos",
    "read_report",
    "recognise_photos",
    "require_right",
    "summarise",
    "worst",
]
