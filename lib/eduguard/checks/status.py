"""What `inv status` shows: servers, migrations, rows, faces. It starts nothing and changes nothing."""

from typing import Any

from eduguard import migrations
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect
from eduguard.rebuild import protection, publication
from eduguard.schools import Place, count_school
from eduguard.settings import Settings
from eduguard.sync import count_place
from eduguard.targets import (
    cloud_folder,
    postgres_folder,
    running_cloud,
    running_database,
    target_collection,
    target_places,
)

Report = dict[str, Any]


def read_report(settings: Settings) -> Report:
    """Return nested dictionaries of plain values; a value is None if its server is down.

    Raises:
        EduguardError: if a server that does not belong to this checkout does not answer.
    """
    target, database = settings.target, running_database(settings)
    endpoint = running_cloud(settings) if target.uses_local_cloud else None
    report: Report = {
        "target": target.name,
        "protection": target.protection,
        "database": {
            "name": database.name if database else None,
            "url": database.shown_url if database else None,
            "is_running": database is not None,
            "folder": str(postgres_folder(settings)) if target.is_embedded else None,
        },
        "cloud": {
            "endpoint": endpoint or (None if target.has_local_cloud else target.rekognition_endpoint),
            "folder": str(cloud_folder(settings)) if target.uses_local_cloud else None,
        },
        "bucket": target.bucket,
        "migrations": {"applied": None, "pending": None, "problem": None},
        "rows": {},
        "faces": {"placeholders": None, "in_collection": None},
        "schools": {},
    }
    places = (database and _add_database(report, database, settings)) or target_places(settings)
    _add_collections(report, places, settings, is_reachable=bool(endpoint) or not target.has_local_cloud)
    return report


def _add_collections(report: Report, places: list[Place], settings: Settings, *, is_reachable: bool) -> None:
    """Add the number of faces in each school's collection, and the total."""
    total = None
    for place in places:
        state = target_collection(settings, place.collection).describe() if is_reachable else None
        school = report["schools"].setdefault(place.school or place.collection, {"rows": None, "placeholders": None})
        school |= {"collection": place.collection, "in_collection": state.face_count if state else None}
        total = (total or 0) + state.face_count if state else total
    report["faces"]["in_collection"] = total


def _add_database(report: Report, database: Database, settings: Settings) -> list[Place] | None:
    """Add what is in the database; return the collections of its schools, or None if it has no such table."""
    state = protection.inspect(database)
    report["database"]["exists"] = state.exists
    report["database"]["beside"] = publication.list_beside(database)
    if not state.exists:
        return None
    try:
        plan = migrations.plan(database, settings.migrations_folder)
        pending = plan.pending
        report["migrations"] |= {"applied": list(plan.applied), "pending": list(pending)}
    except EduguardError as error:  # an edited file or another branch: then the rest is even more useful
        pending = ("unknown",)
        report["migrations"]["problem"] = " ".join(str(error).split())
    with connect(database, purpose="status") as conn:
        report["rows"] = protection.count_rows(conn)
        if "student_faces" in report["rows"]:
            _, _, report["faces"]["placeholders"] = count_school(conn)
        if pending:
            return None
        places = target_places(settings, conn)
        for place in places:
            rows, placeholders = count_place(conn, place)
            report["schools"][place.school or place.collection] = {"rows": rows, "placeholders": placeholders}
        return places
