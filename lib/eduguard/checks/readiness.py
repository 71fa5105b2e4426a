"""What a target lacks before `inv full` can fill a database from it, and the command that makes it; read-only."""

from collections.abc import Mapping

from eduguard.aws import CollectionState
from eduguard.rebuild import protection
from eduguard.settings import Settings
from eduguard.targets import target_bucket, target_database


def find_missing(settings: Settings, empty: Mapping[str, CollectionState | None]) -> list[str]:
    """Return what is missing, each with the one command that makes it.

    Args:
        settings: of the target.
        empty: its collections without a face, by name; None where there is no such collection.

    Raises:
        EduguardError: when the database's server does not answer, or the bucket cannot be looked for.
    """
    target = settings.target
    prefix = f"INVOKE_TARGET={target.name} inv"
    database = target_database(settings)
    live = protection.inspect(database)
    missing = [
        f"collection {name} {'has no face' if state else 'does not exist'} in {target.region}: {prefix} enrol --yes"
        for name, state in empty.items()
    ]
    if not target_bucket(settings).exists():
        missing.append(f"bucket {target.bucket} does not exist: {prefix} enrol --yes")
    if not live.exists:
        full = f"{prefix} full --confirm {database.name}"
        missing.append(f"database {database.name} does not exist on {live.server}: {full}")
    return missing
