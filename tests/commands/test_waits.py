"""Commands that wait for a lock name its session within 3 s, and --wait ends the wait."""

from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

ROWS = "SELECT FROM students s JOIN student_faces f ON f.student_id = s.id FOR UPDATE"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "held"),
    [
        (("sync-faces", "--school", "school-001"), ROWS),
        (("unenrol", "student-001", "--yes"), ROWS),
        (("migrate",), "LOCK TABLE students IN SHARE UPDATE EXCLUSIVE MODE"),
    ],
    ids=["sync-faces", "unenrol", "migrate"],
)
def test_a_command_that_is_held_up_says_by_whom_and_gives_up(
    school: Any, photo: Path, command: tuple[str, ...], held: LiteralString
) -> None:
    school.inv("enrol", "student-001", str(photo))
    if command == ("migrate",):  # so that a migration is pending
        school.inv("rollback", "--confirm", school.database.name)
    with psycopg.connect(school.database.url, autocommit=True) as conn:
        conn.execute("UPDATE student_faces SET face_id = 'placeholder'")  # so that sync has a row to write
    with psycopg.connect(school.database.url, application_name="school app") as holder:
        holder.execute(held)
        done = school.inv(*command, "--wait", "2", check=False)
        named = f"session {holder.info.backend_pid} (school app, postgres, since 20"
        assert done.returncode == 1
        assert f"waits for {named}" in done.stderr
        assert f"ends the wait for {named}" in done.stderr
        assert "error: " in done.stderr
        holder.rollback()
    school.inv(*command)
