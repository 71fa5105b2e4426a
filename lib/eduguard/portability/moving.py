"""Replace a collection by another one: which may replace it, and whether every photo has exactly one face there."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from eduguard import schools
from eduguard.aws import Collection, CollectionState, Face, read_faces
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.portability.switch import switch_collection
from eduguard.settings import Target
from eduguard.sync import count_place
from eduguard.values import check_collection

if TYPE_CHECKING:
    from psycopg import Connection

_LOOKS = 3  # at the collection, which is only eventually consistent, until it lists and counts what was indexed
_BETWEEN_LOOKS = 1.0  # seconds
_SHOWN = 5  # names in a message


def choose_old(conn: "Connection", places: Sequence[schools.Place], new: str) -> schools.Place:
    """Return the place whose collection is to be replaced; read-only.

    Raises:
        EduguardError: if several places have rows, or none has.
    """
    with_rows = [each for each in places if count_place(conn, each)[0]]
    if not with_rows:
        raise EduguardError("No row names a photo: there is nothing to switch", hint="`inv status` counts the rows.")
    if len(with_rows) > 1:
        named = ", ".join(each.collection for each in with_rows)
        raise EduguardError(
            f"One collection cannot take the place of {len(with_rows)}: {named}",
            hint=f"Name one: inv reindex --collection {with_rows[0].collection} --into {new}",
        )
    return with_rows[0]


def find_switched(
    conn: "Connection", places: Sequence[schools.Place], new: str, *, school: str, collection: str
) -> tuple[schools.Place, int] | None:
    """Return the place that has all rows already, and their number; None if there are rows to switch; read-only.

    Args:
        conn: a connection to the database.
        places: every collection of the target.
        new: the collection to switch to.
        school: the school whose rows to switch; empty for every school.
        collection: the collection whose rows to switch; empty for every collection.
    """
    place = next((each for each in places if each.collection == new), None)
    if place is None or (school and school not in place.schools):
        return None
    rows, _ = count_place(conn, place)
    others = [each for each in places if each is not place and (not school or school in each.schools)]
    left = any(count_place(conn, each)[0] for each in others if collection in ("", each.collection))
    return None if left or not rows else (place, rows)


def check_unused(new: str, places: Sequence[schools.Place], target: Target) -> None:
    """Refuse a collection that the target's rows or settings already name."""
    check_collection(new, "--into")
    named = {target.collection, *target.collections.values()}
    if new in named | {each.collection for each in places}:
        who = "the settings name" if new in named else "students' rows name"
        raise EduguardError(
            f"{new} is in use: {who} it. Nothing was switched",
            hint="Choose a new name for --into; `inv reindex` alone makes what is missing of the collections in use.",
        )


def check_empty_but_for(collection: Collection, wanted: Mapping[str, str]) -> None:
    """Refuse a collection with faces of other photos; a collection that does not exist is accepted; read-only."""
    if collection.describe() is None:
        return
    strange = [face for face in read_faces(collection) if face.external_image_id not in wanted]
    if strange:
        named = ", ".join(face.external_image_id or face.face_id for face in strange[:_SHOWN])
        raise EduguardError(
            f"{collection.name} has {amount(len(strange), 'face')} of none of the photos: {named}",
            hint="Choose a new name for --into: the collection is made.",
        )


def read_whole(collection: Collection, wanted: Mapping[str, str]) -> tuple[CollectionState, dict[str, str]]:
    """Return a collection's state and its FaceIds by external image id, if every photo has exactly one face there.

    Raises:
        EduguardError: if a face is missing, duplicate or of another photo; names it.
    """
    for look in range(_LOOKS):
        time.sleep(_BETWEEN_LOOKS if look else 0)
        state, faces = collection.require(), read_faces(collection)
        problem = find_problem(faces, wanted, counted=state.face_count)
        if not problem:
            return state, {face.external_image_id or "": face.face_id for face in faces}
    raise EduguardError(
        f"Collection {collection.name} is not whole, nothing was switched: {problem}",
        hint="Run the same command again, or choose a new name for --into.",
    )


def find_problem(faces: Sequence[Face], wanted: Mapping[str, str], *, counted: int) -> str:
    """Return why a collection does not have one face for each photo and no other; a pure function."""
    listed = Counter(face.external_image_id or "" for face in faces)
    problems = {
        "missing": sorted(wanted.keys() - listed.keys()),
        "listed more than once": sorted(name for name, count in listed.items() if count > 1),
        "of none of the photos": sorted(listed.keys() - wanted.keys()),
    }
    found = [f"{len(names)} {what} ({', '.join(names[:_SHOWN])})" for what, names in problems.items() if names]
    if not found and counted != len(faces):
        found = [f"it counts {amount(counted, 'face')} and lists {len(faces)}"]
    return "; ".join(found)


def switch(conn: "Connection", old: schools.Place, collection: Collection, wanted: Mapping[str, str]) -> int:
    """Check that the collection is complete, and switch a place's students and rows to it; return how many students.

    Raises:
        EduguardError: if the collection is incomplete, or rows have changed meanwhile; nothing was written.
    """
    state, face_ids = read_whole(collection, wanted)
    return switch_collection(conn, old, collection.name, face_ids, arn=state.arn)


def name_setting(target: Target, old: schools.Place, new: str) -> str | None:
    """Return the line of invoke.yaml that must name the new collection; None if only rows name it; pure."""
    if old.collection == target.collection:
        return f"targets.{target.name}.collection: {new}"
    school = next((school for school, name in target.collections.items() if name == old.collection), None)
    return f"targets.{target.name}.collections: {{{school}: {new}}}" if school else None
