"""Open the project whose school the tests use, and check that tests may work on its target."""

from pathlib import Path

from eduguard.commands.project import read_settings
from eduguard.errors import EduguardError
from eduguard.postgres import Database
from eduguard.rebuild import protection
from eduguard.settings import Settings
from eduguard.targets import target_database
from eduguard.values import LOCAL

_HINT = "INVOKE_TARGET chooses another target; `local` is made for tests."


def open_project(folder: Path) -> tuple[Settings, Database]:
    """Return a project's settings and its target's database; start the database's server.

    Raises:
        EduguardError: if the target is not open, or any part of it is not on this machine.
    """
    settings = read_settings(folder)
    target = settings.target
    if target.protection != "open":
        raise EduguardError(
            f"Tests need an open target: the protection of {target.name} is {target.protection}", hint=_HINT
        )
    if not target.rekognition_endpoint == target.s3_endpoint == LOCAL:
        raise EduguardError(
            f"Tests need the local cloud: target {target.name} has its faces or photos elsewhere", hint=_HINT
        )
    database = target_database(settings)
    if not (state := protection.inspect(database)).is_local:
        raise EduguardError(
            f"Tests need a database on this machine: that of {target.name} is on {state.server}", hint=_HINT
        )
    return settings, database
