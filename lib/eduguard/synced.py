"""The collection that a database was synced with, by school, and whether another collection is probably wrong.

The ARNs are in a table of the schema `eduguard`, like the mark: fixtures, templates and counts of rows ignore it.
A copy of the database contains it, and a rebuild carries it over before the first migration runs.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eduguard.aws import Collection
from eduguard.postgres import read_value
from eduguard.schools import Place

if TYPE_CHECKING:
    from psycopg import Connection

# The lock: if two sessions create one table at once, one of them fails, even with CREATE TABLE IF NOT EXISTS.
_MAKE = """
SELECT pg_advisory_xact_lock(hashtext('eduguard.synced'));
CREATE SCHEMA IF NOT EXISTS eduguard;
CREATE TABLE IF NOT EXISTS eduguard.synced (place text PRIMARY KEY, arn text NOT NULL)
"""
UNTOLD = (
    "this role may not ask for the tag that names a collection's school (ListTagsForResource, `inv doctor --iam`): "
    "the settings are trusted"
)
FORGETFUL = "the database's role may not write eduguard.synced: the next sync does not know this collection"
_WRITE = """
INSERT INTO eduguard.synced VALUES (%s, %s)
ON CONFLICT (place) DO UPDATE SET arn = excluded.arn WHERE synced.arn <> excluded.arn
"""


def read_synced(conn: "Connection") -> dict[str, str]:
    """Return the ARN that each place was last synced with, by `Place.key`; empty if the role may not read the table."""
    from psycopg.errors import InsufficientPrivilege

    with suppress(InsufficientPrivilege):
        if read_value(conn, "SELECT to_regclass('eduguard.synced')") is not None:
            return dict(conn.execute("SELECT place, arn FROM eduguard.synced").fetchall())
    return {}


def carry_over(conn: "Connection", synced: Mapping[str, str]) -> None:
    """Replace the ARNs in a new database by those of the database before it, within a transaction."""
    conn.execute(_MAKE)
    conn.execute("DELETE FROM eduguard.synced")
    conn.cursor().executemany(_WRITE, list(synced.items()))


def remember(conn: "Connection", place: Place, arn: str) -> bool:
    """Write the ARN that a place was synced with; return False if the role may not."""
    from psycopg.errors import InsufficientPrivilege

    try:
        with conn.transaction():
            if read_value(conn, "SELECT to_regclass('eduguard.synced')") is None:
                conn.execute(_MAKE)
            conn.execute(_WRITE, [place.key, arn])
    except InsufficientPrivilege:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The reasons why a collection may be the wrong one for a place, and what is assumed about it."""

    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def judge_trust(
    conn: "Connection", place: Place, collection: Collection, arn: str, *, is_remembered_enough: bool
) -> Trust:
    """Judge whether a database and a collection belong together; read-only.

    Args:
        conn: to the database.
        place: the place whose faces are expected in the collection.
        collection: the collection that will be synced.
        arn: of the collection.
        is_remembered_enough: do not read the tag if the database remembers this ARN.
    """
    synced = read_synced(conn).get(place.key)
    return find_doubts(
        place, arn, synced=synced, tag="" if is_remembered_enough and synced == arn else collection.read_school(arn)
    )


def find_doubts(place: Place, arn: str, *, synced: str | None, tag: str | None) -> Trust:
    """Judge by what database and collection say; a pure function.

    Args:
        place: the place whose faces are expected in the collection.
        arn: of the collection.
        synced: the ARN that the database remembers, if any.
        tag: the school that the collection is tagged with, or an empty text; None: the role may not read the tag.
    """
    if not place.schools:  # no student, so no row gets a FaceId
        return Trust()
    doubts, schools = list[str](), " and ".join(sorted(place.schools))
    if synced not in (None, arn):
        doubts.append(f"the rows of {schools} were synced with {synced} before, and this is {arn}")
    if tag and tag not in place.schools:
        doubts.append(f"{arn} is tagged as the collection of {tag}, not of {schools}")
    notes = [UNTOLD] if tag is None else []
    if synced is None and not tag:
        notes.append(f"first sync with {arn}: no tag says whose it is; the settings say of {schools}, which is trusted")
    return Trust(doubts=tuple(doubts), notes=tuple(notes))
