"""A command that waits for a lock names its holder, and a limit ends the wait with an error that names it."""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from eduguard.errors import EduguardError
from eduguard.migrations import runner
from eduguard.postgres import Database, connect, waits

UPDATE = "UPDATE students SET first_name = first_name WHERE id = 'student-001'"


@pytest.fixture
def holder(school: Database) -> Iterator[psycopg.Connection]:
    """Another session that holds locks on a student's row and on the tables that migrations alter."""
    with psycopg.connect(school.url, application_name="school app") as conn:
        conn.execute(UPDATE)
        conn.execute("LOCK TABLE student_faces")
        yield conn


@pytest.fixture
def limit() -> Iterator[Callable[[float], None]]:
    yield waits.end_waits_after
    waits.end_waits_after(math.inf)


@pytest.mark.slow
def test_the_limit_ends_a_wait_with_the_session_that_holds_the_row(
    school: Database, holder: psycopg.Connection, limit: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    limit(2)
    named = rf"session {holder.info.backend_pid} \(school app, postgres, since 20"
    expected = pytest.raises(EduguardError, match=f"{school.name}: waited too long for {named}")
    with expected, connect(school, purpose="tests") as conn:
        conn.execute(UPDATE)
    assert f"waits for session {holder.info.backend_pid} (school app" in capsys.readouterr().err


@pytest.mark.slow
def test_a_statement_that_takes_long_and_waits_for_nobody_is_not_ended(
    school: Database, limit: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    limit(0)
    with connect(school, purpose="tests") as conn:
        conn.execute("SELECT pg_sleep(3)")
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_wait_that_the_holder_ends_goes_on(school: Database, holder: psycopg.Connection) -> None:
    with connect(school, purpose="tests") as conn:
        releases = threading.Timer(2.5, holder.commit)
        releases.start()
        assert conn.execute(UPDATE).rowcount == 1
        releases.join()


@pytest.mark.slow
def test_a_prepared_transaction_is_named(
    school: Database, limit: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    limit(2)
    with psycopg.connect(school.url, autocommit=True) as theirs:
        theirs.execute("BEGIN")
        theirs.execute(UPDATE)
        theirs.execute("PREPARE TRANSACTION 'left open'")
        try:
            expected = pytest.raises(EduguardError, match="waited too long for a prepared transaction")
            with expected, connect(school, purpose="tests") as conn:
                conn.execute(UPDATE)
        finally:
            theirs.execute("ROLLBACK PREPARED 'left open'")


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
def test_a_limit_that_is_not_a_time_is_refused(limit: Callable[[float], None], seconds: float) -> None:
    with pytest.raises(EduguardError, match="there is no such time"):
        limit(seconds)


@pytest.mark.slow
def test_the_connections_of_migrations_are_watched_too(
    school: Database, tmp_path: Path, limit: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[2] / "migrations"
    for file in root.glob("*.sql"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "0999_wide.sql").write_text("ALTER TABLE students ADD wide int;")
    (tmp_path / "0999_wide.rollback.sql").write_text("ALTER TABLE students DROP wide;")
    limit(2)
    with psycopg.connect(school.url, application_name="school app") as conn:
        conn.execute(UPDATE)
        with pytest.raises(EduguardError, match="(?s)0999_wide.sql:1:1.*canceling"):
            runner.apply(school, tmp_path)
        told = capsys.readouterr().err
        assert f"waits for session {conn.info.backend_pid} (school app" in told
        assert f"ends the wait for session {conn.info.backend_pid} (school app" in told
    waits.end_waits_after(math.inf)
    assert runner.apply(school, tmp_path) == ("0999_wide",)
