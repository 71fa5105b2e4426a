"""Look at everything and say what is wrong: doctor, status, verify. Read-only."""

from eduguard.checks.doctor import examine
from eduguard.checks.findings import BROKEN, DRIFT, OK, Command, Finding, worst
from eduguard.checks.iam import iam_policies
from eduguard.checks.overview import summarise
from eduguard.checks.readiness import find_missing
from eduguard.checks.status import read_report
from eduguard.checks.verification import find_incomplete, read_enrolled_photos, recognise_photos, require_right

__all__ = [
    "BROKEN",
    "DRIFT",
    "OK",
    "Command",
    "Finding",
    "examine",
    "find_incomplete",
    "find_missing",
    "iam_policies",
    "read_enrolled_photos",
    "read_report",
    "recognise_photos",
    "require_right",
    "summarise",
    "worst",
]
