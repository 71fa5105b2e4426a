"""The examples of docs/migrations.md do what the page says."""

import re
from pathlib import Path

from eduguard import migrations
from eduguard.postgres import Database, connect, read_value

PAGE = (Path(__file__).parents[2] / "docs/migrations.md").read_text(encoding="utf-8")


def test_the_examples_are_applied(empty_database: Database, tmp_path: Path) -> None:
    for name, text in re.findall(r"```sql\n-- migrations/(\w+)\.sql\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / f"{name}.sql").write_text(text, encoding="utf-8")
        (tmp_path / f"{name}.rollback.sql").write_text("-- nothing", encoding="utf-8")
    try:
        assert len(migrations.apply(empty_database, tmp_path)) == 6
        with connect(empty_database, purpose="tests") as conn:
            found = "SELECT to_regclass('public.rooms') IS NOT NULL AND to_regclass('library.books') IS NOT NULL"
            assert read_value(conn, found)
            assert read_value(conn, "SELECT initial(ROW(1, 'Condor')::houses)") == "C"
            assert read_value(conn, "SELECT has_table_privilege('houses_reader', 'houses', 'SELECT')")
            zones = "SELECT setconfig::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = %s"
            assert read_value(conn, zones, empty_database.name) == "{TimeZone=America/Santiago}"
    finally:
        with connect(empty_database, purpose="tests") as conn:
            conn.execute("DROP OWNED BY houses_reader; DROP ROLE houses_reader")


def test_every_setting_that_the_page_names_is_pinned(empty_database: Database) -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (`[^|]*?`)(?:: .*?)? \|$", PAGE, re.MULTILINE)
    assert len(rows) == 6
    with connect(empty_database, purpose="tests") as conn:
        for names, values in rows:
            settings, expected = re.findall(r"`(\w+)`", names), re.findall(r"`(.*?)`", values)
            expected = expected * len(settings) if len(expected) == 1 else expected
            assert [read_value(conn, f"SHOW {name}") for name in settings] == expected
