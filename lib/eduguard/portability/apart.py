"""Refuse to take a school from a target to itself, even if the target has two names."""

from typing import TYPE_CHECKING

from eduguard.errors import EduguardError
from eduguard.portability.copied_photos import check_other_bucket
from eduguard.postgres import connect, read_value
from eduguard.settings import Settings, Target
from eduguard.targets import target_database

if TYPE_CHECKING:
    from psycopg import Connection

    from eduguard.postgres import Database

_SERVER = "SELECT system_identifier::text FROM pg_control_system()"


def check_apart(source: Settings, settings: Settings) -> None:
    """Require that two targets have different databases, buckets and collections; read-only.

    Raises:
        EduguardError: if both targets use the same one.
    """
    there, here = source.target, settings.target
    if there.name == here.name:
        raise _refused(there, here, "they are one target")
    theirs, ours = target_database(source), target_database(settings)
    if theirs.name == ours.name and _read_server(theirs) == _read_server(ours):
        raise _refused(there, here, f"database {ours.name} is that of both")
    check_other_bucket(there, here)
    shared = {name for name, other in here.claimed.items() if other == there.name}
    if both := sorted(shared & {here.collection, *here.collections.values()}):
        raise _refused(there, here, f"collection {', '.join(both)} is that of both")


def _refused(there: Target, here: Target, reason: str) -> EduguardError:
    return EduguardError(
        f"Nothing was read or written: target {there.name} cannot be taken to target {here.name}, {reason}",
        hint="INVOKE_TARGET names the target that is filled, --from the one that is read; invoke.yaml has both.",
    )


def _read_server(database: "Database") -> str:
    """Return the server's identity, which is the same for every address that reaches it."""
    from psycopg.errors import InsufficientPrivilege

    with connect(database.maintenance, purpose="port") as conn:
        try:
            return str(read_value(conn, _SERVER))
        except InsufficientPrivilege:
            return _address(conn)


def _address(conn: "Connection") -> str:
    return f"{conn.info.hostaddr or conn.info.host}:{conn.info.port}"
