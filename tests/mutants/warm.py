"""Run tests repeatedly in forks of one process that has imported everything except the project.

Each line of standard input is a list of pytest's arguments and their limit in seconds, as JSON. Each line of standard
output is the exit status of pytest, -1 if it took longer.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress

import hypothesis
import pytest

_HEAVY = ("boto3", "botocore.auth", "hypothesis.strategies", "numpy", "PIL.Image", "PIL.ImageDraw", "psycopg", "yaml")
# No conftest.py, because the tests need no server. Nothing is kept for the next run, and one failure is enough.
_PYTEST = ("-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:unraisableexception")
_LATE = -1
_PAUSE = 0.02  # seconds


def main() -> None:
    """Serve until standard input ends."""
    for name in _HEAVY:
        importlib.import_module(name)
    hypothesis.settings.register_profile("mutants", max_examples=25, deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    gc.collect()
    gc.freeze()  # so that garbage collection in a fork does not copy existing pages
    for line in sys.stdin:
        arguments, limit = json.loads(line)
        print(_run([*_PYTEST, *arguments], limit), flush=True)


def _run(arguments: list[str], limit: float) -> int:
    child = os.fork()
    if child == 0:
        _test(arguments)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, how = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(how)
        time.sleep(_PAUSE)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return _LATE


def _test(arguments: list[str]) -> None:
    status = 1
    try:
        os.setsid()  # so that processes started by the tests end with them
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        status = int(pytest.main(arguments))
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
