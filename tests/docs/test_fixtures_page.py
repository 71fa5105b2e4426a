"""The examples of docs/fixtures.md do what the page says."""

import re
from pathlib import Path

from eduguard import fixtures
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect

PAGE = (Path(__file__).parents[2] / "docs/fixtures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_are_loaded_and_refused_as_the_page_says(empty_database: Database, tmp_path: Path) -> None:
    folder, told = tmp_path / "seed_data", [text for kind, text in BLOCKS if kind == "text"]
    folder.mkdir()
    summaries = []
    with connect(empty_database, purpose="tests") as conn:
        for kind, text in BLOCKS:
            if kind == "sql":
                conn.execute(text)
            elif kind in {"yaml", "csv"}:
                for file in folder.iterdir():
                    file.unlink()
                name, content = text.split("\n", 1)
                (tmp_path / name.removeprefix("# ")).write_text(content, encoding="utf-8")
                seeds = fixtures.read_fixtures(folder)
                try:
                    summaries.append(fixtures.load_fixtures(conn, seeds).summary())
                except EduguardError as error:
                    lines = error.message.replace(f"{tmp_path}/", "").splitlines()
                    assert lines == told.pop().splitlines()
        assert summaries == [
            "2 rows in 1 table: 2 inserted, 0 updated, 0 unchanged",
            "3 rows in 1 table: 3 inserted, 0 updated, 0 unchanged",
        ]
        rows = conn.execute("SELECT motto, colours, facts::text, opens_at::text FROM houses ORDER BY id").fetchall()
    assert told == []
    assert rows == [
        (None, None, None, None),
        ("", ["blue", "green, dark", None], '{"open": true, "share": 1.10, "founded": 1901}', "2026-03-09 08:30:00+00"),
        ("agile, quick", None, None, None),
        ("", None, None, None),
        (None, None, None, None),
    ]
