"""The commands for developers of the suite itself: measure it, check it."""

import sys
from pathlib import Path
from shlex import quote

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import ROOT

EXAMPLES = {
    "bench": "inv bench --reset",
    "test": "inv test --options=-x",
    "test-all": "inv test-all",
}


@task(
    help={
        "cloud": "measure the local cloud",
        "export": "compare an export with pg_dump",
        "reindex": "compare a reindex with the quota of IndexFaces",
        "report": "measure a page of 10,000 findings",
        "reset": "compare a reset with psql and clones",
        "sync": "compare a sync with bare pagination, a bare UPDATE and a sync row by row",
        "testing": "compare the pytest plugin's work for a test with a bare CREATE DATABASE",
        "options": "what to pass on, such as --rounds 5",
    }
)
def bench(
    c: Context,
    cloud: bool = False,
    export: bool = False,
    reindex: bool = False,
    report: bool = False,
    reset: bool = False,
    sync: bool = False,
    testing: bool = False,
    options: str = "",
) -> None:
    """Compare the tasks with a bare Invoke, or one part with its alternatives; print the medians."""
    parts = {
        "cloud": cloud,
        "export": export,
        "reindex": reindex,
        "report": report,
        "reset": reset,
        "sync": sync,
        "testing": testing,
    }
    script = next((f"{part}.py" for part, is_chosen in parts.items() if is_chosen), "tasks.py")
    c.run(f"{quote(sys.executable)} {quote(str(ROOT / 'benchmarks' / script))} {options}", pty=False)


@task(help={"options": "what to pass on to pytest"})
def test(c: Context, options: str = "") -> None:
    """Run the checks that a change needs: format, lint, imports, types, and all tests but the long ones."""
    _check(c, f"-m 'not slow' {options}")


@task(help={"options": "what to pass on to pytest"})
def test_all(c: Context, options: str = "") -> None:
    """Run all checks, with the long tests too: every command under every protection, broken servers, sizes."""
    _check(c, options)


def _check(c: Context, options: str) -> None:
    commands = (
        "ruff format --check",
        "ruff check",
        "lint-imports",
        "mypy",
        f"pytest --numprocesses=4 --dist=worksteal {options}",
    )
    folder = Path(sys.executable).parent
    for command in commands:
        # `c.cd` would quote only spaces, not the other characters that are special to the shell.
        c.run(f"cd {quote(str(ROOT))} && {quote(str(folder))}/{command}", echo=True)
