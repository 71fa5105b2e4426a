"""Attendance of a class: its roster, the students who were seen, and the rows that record it."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eduguard.errors import EduguardError, suggest
from eduguard.identifiers import PLACEHOLDER
from eduguard.plurals import amount
from eduguard.students.class_photos import Held, Likeness, Sighting, Stranger
from eduguard.students.pictures import Picture

if TYPE_CHECKING:
    from psycopg import Connection

UNKNOWN = "unknown"  # for a face that does not resemble anybody enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The students enrolled in a class, by id, and the FaceIds in the rows of the whole school."""

    class_id: str
    names: Mapping[str, str]
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One meeting of a class."""

    id: str
    class_id: str
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One student's attendance of a session."""

    student_id: str
    name: str
    status: str
    confidence: float | None
    face_id: str | None
    method: str


def read_roster(conn: "Connection", class_id: str) -> Roster:
    """Return the students enrolled in a class; read-only.

    Raises:
        EduguardError: when the class does not exist, has no students, or no face of the school is known yet.
    """
    known = conn.execute("SELECT id FROM classes ORDER BY id").fetchall()
    if (class_id,) not in known:
        classes = [each for (each,) in known]
        raise EduguardError(
            f"No such class: {class_id}", hint=suggest(class_id, classes, f"There are: {', '.join(classes)}")
        )
    names = conn.execute(
        "SELECT s.id, s.first_name || ' ' || s.last_name"
        " FROM class_enrollments e JOIN students s ON s.id = e.student_id"
        " WHERE e.class_id = %s AND e.status = 'enrolled'",
        [class_id],
    ).fetchall()
    if not names:
        raise EduguardError(f"Nobody is enrolled in {class_id}", hint="The table class_enrollments says who is.")
    held = read_held(conn)
    if not held.owners:
        raise EduguardError("No row has a FaceId yet", hint="Run `inv sync-faces` first.")
    return Roster(class_id=class_id, names=dict(names), held=held)


def read_held(conn: "Connection") -> Held:
    """Return the FaceIds in the rows of the school; read-only."""
    rows = conn.execute("SELECT external_image_id, face_id, student_id FROM student_faces").fetchall()
    owners = {face_id: student for _, face_id, student in rows if face_id != PLACEHOLDER}
    return Held(owners=owners, rows={external: face_id for external, face_id, _ in rows})


def present_students(sightings: Iterable[Sighting], roster: Roster) -> dict[str, Likeness]:
    """Return the best likeness of each student of the class with a sure sighting; a pure function."""
    present: dict[str, Likeness] = {}
    for likeness in (each.likeness for each in sightings if each.is_sure):
        if isinstance(likeness, Likeness) and likeness.student_id in roster.names:
            known = present.get(likeness.student_id)
            if known is None or likeness.similarity > known.similarity:
                present[likeness.student_id] = likeness
    return present


def name_session(class_id: str, at: datetime | None, photos: Iterable[str], *, now: datetime) -> Session:
    """Name a session by its time, or by the hashes of its photos if no time is given; a pure function."""
    if at is not None:
        starts_at = at.astimezone(UTC)
        return Session(id=f"{class_id}-{starts_at:%Y%m%dT%H%M%SZ}", class_id=class_id, starts_at=starts_at)
    digest = hashlib.sha256("\n".join(sorted(set(photos))).encode()).hexdigest()[:16]
    return Session(id=f"{class_id}-{digest}", class_id=class_id, starts_at=now)


def record(conn: "Connection", session: Session, roster: Roster, present: Mapping[str, Likeness]) -> tuple[str, int]:
    """Write the session and one row per student, in one transaction; return the session's id and the number of changes.

    More photos of the same session only add to it: present never becomes absent, and rows that a person entered stay.
    """
    with conn.transaction():
        found = conn.execute(
            "SELECT id, status FROM sessions WHERE id = %s OR (class_id = %s AND starts_at = %s) FOR UPDATE",
            [session.id, session.class_id, session.starts_at],
        ).fetchone()
        if found and found[1] == "cancelled":
            raise EduguardError(
                f"Session {found[0]} is cancelled", hint="Set its status, or give another time by --at."
            )
        session_id = str(found[0]) if found else session.id
        changed = conn.execute(
            "INSERT INTO sessions AS s (id, class_id, starts_at, status) VALUES (%s, %s, %s, 'held')"
            " ON CONFLICT (id) DO UPDATE SET status = 'held' WHERE s.status <> 'held'",
            [session_id, session.class_id, session.starts_at],
        ).rowcount
        for student in sorted(roster.names):
            seen = present.get(student)
            changed += conn.execute(
                "INSERT INTO attendance AS a (id, session_id, student_id, status, confidence, face_id, method)"
                " VALUES (%s, %s, %s, %s, %s, %s, 'face')"
                " ON CONFLICT (session_id, student_id) DO UPDATE SET status = excluded.status,"
                " confidence = excluded.confidence, face_id = excluded.face_id, recorded_at = now()"
                " WHERE a.method = 'face' AND excluded.status = 'present'"
                " AND (a.status = 'absent' OR a.confidence < excluded.confidence)",
                [
                    f"{session_id}-{student}",
                    session_id,
                    student,
                    "present" if seen else "absent",
                    seen and seen.similarity,
                    seen and seen.face_id,
                ],
            ).rowcount
    return session_id, changed


def read_session(conn: "Connection", session_id: str) -> tuple[Session, list[Entry]]:
    """Return a session and its attendance, ordered by name; read-only."""
    row = conn.execute("SELECT id, class_id, starts_at FROM sessions WHERE id = %s", [session_id]).fetchone()
    if row is None:
        recent = conn.execute("SELECT id FROM sessions ORDER BY starts_at DESC LIMIT 5").fetchall()
        raise EduguardError(
            f"No such session: {session_id}",
            hint=f"The latest are: {', '.join(each[0] for each in recent) or 'none'}",
        )
    entries = conn.execute(
        "SELECT a.student_id, s.first_name || ' ' || s.last_name, a.status, a.confidence::float8, a.face_id, a.method"
        " FROM attendance a JOIN students s ON s.id = a.student_id WHERE a.session_id = %s"
        " ORDER BY s.last_name, s.first_name, s.id",
        [session_id],
    )
    return Session(id=row[0], class_id=row[1], starts_at=row[2]), [
        Entry(student_id=each[0], name=each[1], status=each[2], confidence=each[3], face_id=each[4], method=each[5])
        for each in entries
    ]


def describe_rest(sightings: Sequence[Sighting], roster: Roster) -> list[dict[str, object]]:
    """Return the faces that do not count for the class, each with the student or face that it resembles most."""
    return [
        {
            "photo": each.photo + 1,
            "resembles": _name(each.likeness) if each.likeness else None,
            "similarity": round(each.likeness.similarity, 1) if each.likeness else None,
            "reason": "not in this class" if each.is_sure else UNKNOWN,
        }
        for each in sightings
        if not (each.is_sure and isinstance(each.likeness, Likeness) and each.likeness.student_id in roster.names)
    ]


def _name(likeness: Likeness | Stranger) -> str:
    return likeness.student_id if isinstance(likeness, Likeness) else likeness.name


def take(
    conn: "Connection",
    roster: Roster,
    pictures: Sequence[Picture],
    sightings: Sequence[Sighting],
    *,
    at: datetime | None,
) -> dict[str, Any]:
    """Record who of a class was seen; return the report of the session with the faces that were seen.

    Args:
        conn: to the live database.
        roster: of the class.
        pictures: of the class; they name the session if no time is given.
        sightings: of all pictures.
        at: the time when the class began, if known.
    """
    session = name_session(roster.class_id, at, (picture.sha256 for picture in pictures), now=datetime.now(UTC))
    session_id, changed = record(conn, session, roster, present_students(sightings, roster))
    rest = describe_rest(sightings, roster)
    unknown = sum(face["reason"] == UNKNOWN for face in rest)
    counts = {"faces": len(sightings), "unknown": unknown, "not_counted": rest, "changed": changed}
    return report_session(conn, session_id) | counts


def report_session(conn: "Connection", session_id: str) -> dict[str, Any]:
    """Return the attendance of a session as plain values; read-only."""
    session, entries = read_session(conn, session_id)
    statuses = [entry.status for entry in entries]
    return {
        "session": session.id,
        "class": session.class_id,
        "starts_at": session.starts_at.isoformat(),
        "present": statuses.count("present") + statuses.count("late"),
        "absent": statuses.count("absent"),
        "students": [asdict(entry) for entry in entries],
    }


def summarise_attendance(report: Mapping[str, Any]) -> str:
    """Return the counts of a report as one line; a pure function."""
    line = f"{report['session']}: {report['present']} present, {report['absent']} absent"
    if "faces" not in report:
        return line
    done = f"{amount(report['changed'], 'row')} changed" if report["changed"] else "nothing changed"
    rest = Counter(str(face["reason"]) for face in report["not_counted"])
    counts = "".join(f", {count} {reason}" for reason, count in sorted(rest.items()))
    return f"{line}; {amount(report['faces'], 'face')}{counts}; {done}"
