"""The steps of attendance: photos of a class become rows, and rows a report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eduguard import students
from eduguard.errors import EduguardError
from eduguard.jpeg import open_upright
from eduguard.postgres import connect
from eduguard.progress import Progress
from eduguard.settings import Settings
from eduguard.students import Picture, Roster, Sighting
from eduguard.targets import target_collection, target_database

_MOST_PHOTOS = 10
_SURE, _UNSURE = "#2ecc71", "#f5a623"  # green, amber


def take(
    settings: Settings, *, class_id: str, files: Sequence[str], at: str, annotate: str, with_users: bool
) -> dict[str, Any]:
    """Recognise the faces of a class's photos and record who is present; return the report."""
    pictures, starts_at, outputs = _read_pictures(files), _read_time(at), _outputs(annotate, files)
    database, collection = target_database(settings), target_collection(settings)
    with connect(database, purpose="attendance") as conn:
        roster = students.read_roster(conn, class_id)
        students.check_collection(conn, roster.names, settings.target.collection)
    search = students.search_by_users if with_users else students.search_by_faces
    with Progress() as progress:
        sightings = students.find_sightings(
            pictures,
            collection=collection,
            search=search(collection, roster.owners),
            threshold=settings.match_threshold,
            advance=progress.begin("attendance", len(pictures), "photos").advance,
        )
    present = students.present_students(sightings, roster)
    session = students.name_session(
        class_id, starts_at, (picture.sha256 for picture in pictures), now=datetime.now(UTC)
    )
    for number, output in enumerate(outputs):
        _annotate(output, pictures[number], [each for each in sightings if each.photo == number], roster)
    with connect(database, purpose="attendance") as conn:
        session_id, changed = students.record(conn, session, roster, present)
        rest = students.describe_rest(sightings, roster)
        unknown = sum(face["reason"] == students.UNKNOWN for face in rest)
        counts = {"faces": len(sightings), "unknown": unknown, "not_counted": rest, "changed": changed}
        return _report(conn, session_id) | counts


def show(settings: Settings, session_id: str) -> dict[str, Any]:
    """Return the attendance of a session; read-only."""
    with connect(target_database(settings), purpose="attendance") as conn:
        return _report(conn, session_id)


def summarise(report: Mapping[str, Any]) -> str:
    """Return the counts of a report as one line."""
    line = f"{report['session']}: {report['present']} present, {report['absent']} absent"
    if "faces" not in report:
        return line
    done = f"{report['changed']} rows changed" if report["changed"] else "nothing changed"
    rest = Counter(str(face["reason"]) for face in report["not_counted"])
    counts = "".join(f", {count} {reason}" for reason, count in sorted(rest.items()))
    return f"{line}; {report['faces']} faces{counts}; {done}"


def _report(conn: Any, session_id: str) -> dict[str, Any]:
    session, entries = students.read_session(conn, session_id)
    statuses = [entry.status for entry in entries]
    return {
        "session": session.id,
        "class": session.class_id,
        "starts_at": session.starts_at.isoformat(),
        "present": statuses.count("present") + statuses.count("late"),
        "absent": statuses.count("absent"),
        "students": [asdict(entry) for entry in entries],
    }


def _read_pictures(files: Sequence[str]) -> list[Picture]:
    if len(files) > _MOST_PHOTOS:
        raise EduguardError(
            f"{len(files)} photos; at most {_MOST_PHOTOS} are taken",
            hint="Take the others with the same --at: they add to the session.",
        )
    return [students.read_picture(Path(file)) for file in files]


def _read_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone() if text else None
    except ValueError as error:
        raise EduguardError(f"--at {text!r} is no time", hint="2026-03-09T08:30 or 2026-03-09T08:30-03:00") from error


def _outputs(annotate: str, files: Sequence[str]) -> list[Path]:
    """Return one file a photo: the name itself for one, numbered for several; never a photo that is read."""
    if not annotate:
        return []
    name = Path(annotate)
    if name.suffix.lower() not in {".jpg", ".jpeg"}:
        raise EduguardError(f"--annotate {annotate} is no name of a JPEG file", hint="Give it a name like seen.jpg.")
    several = [name.with_stem(f"{name.stem}-{number}") for number in range(1, len(files) + 1)]
    outputs = several if len(files) > 1 else [name]
    if clash := {file.resolve() for file in outputs} & {Path(file).resolve() for file in files}:
        raise EduguardError(f"{', '.join(map(str, clash))} is a photo to be read", hint="Choose another --annotate.")
    return outputs


def _annotate(output: Path, picture: Picture, sightings: Sequence[Sighting], roster: Roster) -> None:
    names = []
    for each in sightings:
        student = each.likeness.student_id if each.likeness and each.is_sure else ""
        label = (
            f"{roster.names[student]} {each.likeness.similarity:.1f}"
            if student in roster.names and each.likeness
            else "?"
        )
        names.append((each.box, label, _UNSURE if label == "?" else _SURE))
    try:
        output.write_bytes(students.draw_names(open_upright(picture.content), names))
    except OSError as error:
        raise EduguardError(f"Cannot write {output}: {error.strerror}") from error
