"""Slow modules that many commands do not need are not imported at the start."""

import subprocess
import sys

import pytest

HEAVY = {"boto3", "botocore", "psycopg", "PIL", "yaml", "yoyo", "invoke"}


@pytest.mark.parametrize("room", ["aws", "checks", "students"])
def test_a_room_is_imported_without_the_packages_it_may_need_later(room: str) -> None:
    script = f"import eduguard.{room}, sys; print(*{HEAVY} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
