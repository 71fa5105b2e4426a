"""libpq's variables apply to the chosen target: another one is reached only by its own URL and ~/.pgpass."""

from pathlib import Path

import pytest

from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, read_value

VARIABLES = {
    "PGHOST": "/nowhere",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGPASSWORD": "Secr3t",
    "PGDATABASE": "another",
    "PGOPTIONS": "-c no_such_setting=1",
}


def test_another_target_is_reached_without_the_variables(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords = tmp_path / "pgpass"
    passwords.write_text("*:*:*:*:of-the-file\n")
    passwords.chmod(0o600)
    for name, value in {**VARIABLES, "PGPASSFILE": str(passwords)}.items():
        monkeypatch.setenv(name, value)
    database = Database.from_url(server_url, alone=True).named("postgres")
    with connect(database, purpose="tests") as conn:
        assert read_value(conn, "SELECT current_database()") == "postgres"
        assert conn.info.password == "of-the-file"
    assert "hostaddr" not in database.shown_url


def test_another_target_names_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "another")
    assert Database.from_url("postgresql://h").name == "another"
    with pytest.raises(EduguardError, match="names no database"):
        Database.from_url("postgresql://h", alone=True)
