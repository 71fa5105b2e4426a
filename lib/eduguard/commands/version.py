"""The command that shows which versions are in use."""

import platform
from importlib.metadata import version as version_of

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import JSON, settings_of
from eduguard.errors import EduguardError
from eduguard.settings import Settings
from eduguard.terminal import print_step, record

EXAMPLES = {"version": "inv version"}


@task(help={"json": JSON})
def version(c: Context, json: bool = False) -> None:
    """Show the versions of EduGuard DB, of Python and of the target's PostgreSQL; nothing is started."""
    ours, python = version_of("eduguard-db"), platform.python_version()
    print_step("eduguard", ours)
    print_step("Python", python)
    record({"eduguard_db": ours, "python": python})
    settings = settings_of(c)
    server, problem = _ask_server(settings)
    print_step("PostgreSQL", f"{server or problem} (target {settings.target.name})")
    record({"postgresql": server, "problem": problem, "target": settings.target.name})


def _ask_server(settings: Settings) -> tuple[str | None, str | None]:
    """Return the version of the target's server, or the reason why it is not known."""
    from eduguard.targets import running_database

    try:
        database = running_database(settings)
        if database is None:
            return None, "not running"
        from eduguard.postgres import connect, read_value

        with connect(database.maintenance, purpose="version") as conn:
            return str(read_value(conn, "SHOW server_version")), None
    except EduguardError as error:
        return None, f"does not answer: {error.message}"
