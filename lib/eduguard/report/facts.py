"""The data of a report: everything that the checks read, and their findings; read-only."""

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
    """What was read, and what could not be read."""

    settings: Settings
    evidence: Evidence
    findings: tuple[Finding, ...]
    status: dict[str, Any] | EduguardError
    """the report of `inv status`"""
    known: frozenset[str]
    """the students in the database"""
    names: dict[str, str] = field(default_factory=dict)
    """the students' names by id, if they were asked for"""


def read_facts(settings: Settings, *, names: bool) -> Facts:
    """Read everything, and run the doctor's checks on it.

    Args:
        settings: the settings of the target.
        names: whether to read the students' names too.
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
    """Return the students by id, with or without their names; none if the database lacks the table."""
    if isinstance(evidence.database, EduguardError) or not evidence.database.has_rows:
        return {}
    with connect(target_database(evidence.settings), purpose="report") as conn:
        return dict(conn.execute(_NAMES if names else _IDS).fetchall())


def shown_places(facts: Facts) -> list[PlaceEvidence]:
    """Return the collections with their rows and faces; none if they could not be read."""
    return [] if isinstance(facts.evidence.places, EduguardError) else facts.evidence.places
