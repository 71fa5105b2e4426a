"""For any content of a fixture, its rows are in the table, or one error names file and line and nothing is loaded."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from eduguard import fixtures
from eduguard.errors import EduguardError
from eduguard.postgres import Database, connect, execute_for

TABLE = """
CREATE TABLE kinds (
    id text PRIMARY KEY, t varchar(9), b bool, i int UNIQUE, s smallint, n numeric(5, 2), f float8, d date,
    z timestamptz, u uuid, j jsonb, a int[], y bytea, p point, r int REFERENCES kinds (i), CHECK (i <> 13)
)
"""
COLUMNS = ["id", "t", "b", "i", "s", "n", "f", "d", "z", "u", "j", "a", "y", "p", "r"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates()
    | st.text(st.characters(codec="utf-8"), max_size=12)
    | st.sampled_from(["NaN", "infinity", "\\N", "\\.", "{1,2}", "{", "2026-02-30", "9" * 400, "1e999", "\\x0", "(1,2)", "\u0000"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ROWS = st.lists(
    st.builds(
        lambda key, others: {"id": key, **others},
        st.sampled_from("abc") | VALUES,
        st.dictionaries(st.sampled_from([*COLUMNS, "strange"]), VALUES, max_size=3),
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def conn(server_url: str) -> Iterator[Connection]:
    database = Database.from_url(server_url).named("test_inputs_fixtures")
    with connect(database.maintenance, purpose="tests") as maintenance:
        execute_for(maintenance, "CREATE DATABASE {} TEMPLATE template0", database)
        with connect(database, purpose="tests") as conn:
            conn.execute(TABLE)
            yield conn
        execute_for(maintenance, "DROP DATABASE {} WITH (FORCE)", database)


@pytest.fixture(scope="module")
def load(conn: Connection, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Load a fixture, and return the number of rows in the table, or None for one clear error."""
    folder = tmp_path_factory.mktemp("fixtures")
    file = folder / "01_kinds.yaml"

    def run(content: bytes) -> int | None:
        file.write_bytes(content)
        conn.execute("TRUNCATE kinds")
        try:
            read = fixtures.read_fixtures(folder)
            fixtures.load_fixtures(conn, read)
        except EduguardError as error:
            assert error.message.startswith(str(file))
            assert conn.execute("SELECT count(*) FROM kinds").fetchone() == (0,)
            return None
        assert fixtures.load_fixtures(conn, read).has_changed is False
        count = conn.execute("SELECT count(*) FROM kinds").fetchone()
        assert count == (sum(len(part.rows) for part in read[0].parts),)
        return sum(len(part.rows) for part in read[0].parts)

    return run


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS)
@example(rows=[{"id": "a", "t": "\\."}, {"id": "b", "t": "\\N"}])
@example(rows=[{"id": "a", "j": float("nan")}])
@example(rows=[{"id": "a", "i": "1", "r": "1"}])
def test_any_rows_are_loaded_or_refused(load: Any, rows: list[Any]) -> None:
    loaded = load(yaml.safe_dump(rows, allow_unicode=True).encode("utf-8", "surrogatepass"))
    assert loaded is None or loaded == len(rows)


@given(content=st.binary(max_size=60) | st.text("-:[]{}&*!|>'\"%@`#?, \n\tid1~", max_size=80).map(str.encode))
def test_any_bytes_are_loaded_or_refused(load: Any, content: bytes) -> None:
    loaded = load(content)
    assert loaded is None or loaded >= 0


def test_a_kept_fixture(load: Any, sample: Path) -> None:
    assert (load(sample.read_bytes()) is not None) is sample.name.startswith("taken")


def test_files_that_are_not_fixtures_are_named(conn: Connection, tmp_path: Path) -> None:
    (tmp_path / "01_kinds.yaml").mkdir()
    with pytest.raises(EduguardError, match="01_kinds.yaml"):
        fixtures.read_fixtures(tmp_path)
    shutil.rmtree(tmp_path / "01_kinds.yaml")
    (tmp_path / "01_kinds.yaml").symlink_to("nowhere")
    with pytest.raises(EduguardError, match="01_kinds.yaml"):
        fixtures.read_fixtures(tmp_path)
