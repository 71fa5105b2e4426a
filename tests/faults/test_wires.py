"""A connection that is cut at a chosen point, and how boto3 and our commands react."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from eduguard.aws import Collection, open_collection
from wires import MESSAGE, REQUEST, Fault, HttpWire, PostgresWire, Turn


@pytest.fixture
def collection(cloud_access: dict[str, Any]) -> Iterator[Collection]:
    opened = open_collection(f"wires-{uuid4().hex[:12]}", **cloud_access)
    opened.create()
    return opened


def test_a_user_whose_deletion_was_not_answered_is_deleted_again_without_an_error(
    collection: Collection, cloud_access: dict[str, Any]
) -> None:
    """boto3 sends the request again, when the user does not exist any more."""
    collection.create_user("ana")
    turn = Turn(Fault(kind=REQUEST, number=1, way="fail after"))
    wire = HttpWire(cloud_access["endpoint"], turn)
    try:
        open_collection(collection.name, **(cloud_access | {"endpoint": wire.endpoint})).delete_user("ana")
    finally:
        wire.close()
    assert (turn.is_struck, turn.counts[REQUEST]) == (True, 2)
    assert collection.list_users() == set()


@pytest.mark.parametrize(
    ("number", "way", "is_made"), [(5, "fail after", False), (6, "fail before", False), (6, "fail after", True)]
)
def test_a_statement_is_done_if_the_message_that_ends_it_was_forwarded(
    empty_database: Any,
    state_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    number: int,
    way: str,
    is_made: bool,
) -> None:
    turn = Turn(Fault(kind=MESSAGE, number=number, way=way))
    folder = state_folder / f"wire-{uuid4().hex[:6]}"
    wire = PostgresWire(folder, state_folder / "postgres" / "s", turn)
    url = f"postgresql://postgres@/{empty_database.name}?host={folder}"
    with psycopg.connect(empty_database.url, autocommit=True) as conn:
        conn.execute("CREATE TABLE told (word text)")
        with pytest.raises(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as through:
            through.execute("INSERT INTO told VALUES (%s)", ["a"])
        assert len(wire.close()) == 1
        assert turn.is_struck
        assert conn.execute("SELECT count(*) FROM told").fetchone() == (int(is_made),)
