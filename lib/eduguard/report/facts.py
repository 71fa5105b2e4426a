"""What a page is made of: everything that the checks read, and what they say of it; read-only."""

from dataclasses import dataclass, field
from typing import Any

from eduguard.checks import CHECKS, Evidence, Finding, PlaceEvidence, read_report
from eduguard.errors import EduguardError
from eduguard.postgres import connect
from eduguard.settings import Settings
from eduguard.targets import target_database

_NAMES = "SELECT id, first_name || ' ' || last_name FROM students"
_IDS = "SELECT id, '' FROM students"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was read, and what could not be."""

    settings: Settings
    evidence: Evidence
    findings: tuple[Finding, ...]
    status: dict[str, Any] | EduguardError
    """the report of `inv status`"""
    known: frozenset[str]
    """the students in the database"""
    names: dict[str, str] = field(default_factory=dict)
    """of the students, where they were asked for"""


def read_facts(settings: Settings, *, names: bool) -> Facts:
    """Read all that is there, and look at it with the doctor's checks.

    Args:
        settings: of the target.
        names: of the students are read too.
    """
    evidence = Evidence(settings=settings)
    findings = tuple(finding for check in CHECKS for finding in check(evidence))
    status = _read_status(settings)
    students = _read_students(evidence, names=names)
    return Facts(
        settings=settings,
        evidence=evidence,
        findings=findings,
        status=status,
        known=frozenset(students),
        names=students if names else {},
    )


def _read_status(settings: Settings) -> dict[str, Any] | EduguardError:
    try:
        return read_report(settings)
    except EduguardError as error:
        return error


def _read_students(evidence: Evidence, *, names: bool) -> dict[str, str]:
    """Return the students by id, with their names or with nothing; none from a database that lacks the table."""
    if isinstance(evidence.database, EduguardError) or not evidence.database.has_rows:
        return {}
    with connect(target_database(evidence.settings), purpose="report") as conn:
        return dict(conn.execute(_NAMES if names else _IDS).fetchall())


def shown_places(facts: Facts) -> list[PlaceEvidence]:
    """Return the collections with their rows and faces; none where they could not be read."""
    return [] if isinstance(facts.evidence.places, EduguardError) else facts.evidence.places
