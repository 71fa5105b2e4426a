"""The commands for the servers on this machine: the embedded PostgreSQL server and the local cloud."""

import os
import signal
import subprocess

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from eduguard.commands.shared import JSON, NEXT, chosen_database, settings_of
from eduguard.errors import FAILED
from eduguard.terminal import print_exports, print_json, print_step, record

EXAMPLES = {
    "up": "inv up",
    "down": "inv down",
    "env": "inv env --json",
    "psql": "inv psql",
}


@task(help={"json": JSON})
def up(c: Context, json: bool = False) -> None:
    """Start the embedded PostgreSQL server and the local cloud, where the target uses them."""
    from eduguard.aws import local_cloud
    from eduguard.targets import cloud_folder, target_database

    settings = settings_of(c)
    record({"postgresql": None, "local_cloud": None})
    if settings.target.is_embedded:
        url = target_database(settings).shown_url
        print_step("up", f"PostgreSQL: {url}")
        record({"postgresql": url})
    if settings.target.uses_local_cloud:
        running = local_cloud.ensure_running(cloud_folder(settings), models=settings.face_models)
        print_step("up", f"local cloud: {running.endpoint}")
        record({"local_cloud": running.endpoint})


@task(help={"json": JSON})
def down(c: Context, json: bool = False) -> None:
    """Stop the embedded PostgreSQL server and the local cloud; nothing is lost."""
    from eduguard.aws import local_cloud
    from eduguard.targets import cloud_folder, stop_database

    settings = settings_of(c)
    stopped = {"postgresql": stop_database(settings), "local_cloud": local_cloud.stop(cloud_folder(settings))}
    for name, text in (("postgresql", "PostgreSQL stopped"), ("local_cloud", "local cloud stopped")):
        if stopped[name]:
            print_step("down", text)
    record({"stopped": [name for name, is_stopped in stopped.items() if is_stopped]})


@task(help={"shell": "print shell commands, which is the default", "json": JSON})
def env(c: Context, shell: bool = False, json: bool = False) -> None:
    """Print the variables and key that lead the AWS CLI and SDKs to the local cloud: `eval "$(inv env --shell)"`."""
    from eduguard.targets import local_cloud_variables

    variables = local_cloud_variables(settings_of(c))
    print_json(variables) if json and not shell else print_exports(variables)


@task(help={"command": "statements to execute instead of opening a prompt", "next": NEXT})
def psql(c: Context, command: str = "", next: bool = False) -> None:
    """Open psql on the target's database; read-only unless its protection is open."""
    from eduguard.postgres.programs import find_psql
    from eduguard.postgres.urls import read_url
    from eduguard.targets import postgres_folder

    settings = settings_of(c)
    database = chosen_database(settings, next=next)
    program = find_psql(postgres_folder(settings), settings.postgres_bin)
    environment, password = dict(os.environ), read_url(database.url).get("password")
    if (
        password is not None
    ):  # in the environment, because every user of this machine can see the arguments of a process
        environment["PGPASSWORD"] = password
    if settings.target.protection != "open":
        environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} -c default_transaction_read_only=on".strip()
    arguments = [str(program), "--dbname", database.shown_url]
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C cancels a statement, as psql does by default
    try:
        done = subprocess.run([*arguments, *(["--command", command] if command else [])], env=environment, check=False)
    finally:
        signal.signal(signal.SIGINT, interrupted)
    if done.returncode:
        raise Exit(code=FAILED)
