"""Find what a target lacks before `inv full` can fill a database, and the command that makes it; read-only."""

from collections.abc import Mapping

from eduguard.aws import CollectionState
from eduguard.rebuild import protection
from eduguard.settings import Settings
from eduguard.targets import target_bucket, target_database


def find_missing(settings: Settings, empty: Mapping[str, CollectionState | None]) -> list[str]:
    """Return each missing thing with the one command that makes it.

    Args:
        settings: the settings of the target.
        empty: the target's collections without a face, by name; None if the collection does not exist.

    Raises:
        EduguardError: if the database's server does not answer, or the bucket cannot be checked.
    """
    target = settings.target
    prefix = f"INVOKE_TARGET={target.name} inv"
    database = target_database(settings)
    live = protection.inspect(database)
    consent = "" if target.protection == "open" and live.is_local else f" --confirm {database.name}"
    missing = [
        f"collection {name} {'has no face' if state else 'does not exist'} in {target.region}: "
        f"{prefix} enrol --yes{consent}"
        for name, state in empty.items()
    ]
    if not target_bucket(settings).exists():
        missing.append(f"bucket {target.bucket} does not exist: {prefix} enrol --yes{consent}")
    if not live.exists:
        missing.append(f"database {database.name} does not exist on {live.server}: {prefix} full{consent}")
    return missing
