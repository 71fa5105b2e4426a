"""`inv bench` measures on servers of its own: the database that the settings name stays as it is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
LIVE = "SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), created_at FROM eduguard.origin"
INV = Path(sys.executable).parent / "inv"

pytestmark = pytest.mark.usefixtures("cloud_endpoint")


@pytest.mark.slow
def test_the_commands_are_measured_beside_the_live_database(full: Database) -> None:
    with connect(full, purpose="tests") as conn:
        before = conn.execute(LIVE).fetchone()
    told = subprocess.run(
        [INV, "bench", "--options", "--rounds 1 --only reset"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": full.shown_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "inv reset" in told.stdout, told.stderr
    with connect(full, purpose="tests") as conn:
        assert conn.execute(LIVE).fetchone() == before


@pytest.mark.slow
def test_what_the_plugin_does_for_a_test_is_measured_beside_bare_statements() -> None:
    command = [INV, "bench", "--testing", "--options", "--rounds 1"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    ways = re.findall(r"^(.*?)  .* ms +[\d.]+ ms +[\d.]+$", told.stdout, flags=re.MULTILINE)
    assert {"CREATE DATABASE ... STRATEGY WAL_LOG", "school_db, before the test"} <= set(ways), told.stderr


@pytest.mark.parametrize("name", ["DATABASE_URL", "INVOKE_TARGET", "PGHOST", "AWS_PROFILE"])
def test_no_variable_of_the_caller_leads_a_benchmark_elsewhere(name: str, tmp_path: Path) -> None:
    script = "import own_place, pathlib; print(own_place.environment(pathlib.Path('state')))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT / "benchmarks",
        env=os.environ | {name: "over-there"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "over-there" not in done.stdout
