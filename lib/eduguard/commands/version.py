"""The command that says which versions are at work."""

import platform
from importlib.metadata import version as version_of

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import settings_of
from eduguard.errors import EduguardError
from eduguard.settings import Settings
from eduguard.terminal import print_step

EXAMPLES = {"version": "inv version"}


@task
def version(c: Context) -> None:
    """Show the versions of EduGuard DB, of Python and of the target's PostgreSQL; nothing is started."""
    print_step("eduguard-db", version_of("eduguard-db"))
    print_step("Python", platform.python_version())
    settings = settings_of(c)
    print_step("PostgreSQL", f"{_ask_server(settings)} (target {settings.target.name})")


def _ask_server(settings: Settings) -> str:
    from eduguard.targets import running_database

    try:
        database = running_database(settings)
        if database is None:
            return "not running"
        from eduguard.postgres import connect, read_value

        with connect(database.maintenance, purpose="version") as conn:
            return str(read_value(conn, "SHOW server_version"))
    except EduguardError as error:
        return f"does not answer: {error.message}"
