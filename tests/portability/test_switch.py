"""Rows and students are switched to another collection together, or not at all."""

import pytest

from eduguard.errors import EduguardError
from eduguard.portability.switch import switch_collection
from eduguard.postgres import Database, connect
from eduguard.schools import Place, Scope
from eduguard.sync import read_rows
from eduguard.synced import read_synced

OLD = Place(collection="tests-2", school="school-002")


def test_rows_that_are_not_those_of_the_faces_stop_the_switch(school: Database) -> None:
    with connect(school, purpose="tests") as conn:
        before = read_rows(conn, Scope(place=OLD))
        made = {row.external_image_id: f"new-{number}" for number, row in enumerate(before)}
        for wrong in (dict(list(made.items())[1:]), made | {"student-101-photo-9": "x"}):
            with pytest.raises(EduguardError, match="1 photo enrolled or removed while new was made"):
                switch_collection(conn, OLD, "new", wrong, arn="arn")
            assert sorted(read_rows(conn, Scope(place=OLD))) == sorted(before)
        assert switch_collection(conn, OLD, "new", made, arn="arn") == 2
        assert read_rows(conn, Scope(place=OLD)) == []
        assert dict(read_rows(conn, Scope(place=Place(collection="new")))) == made
        assert read_synced(conn) == {"school-002": "arn", "collection new": "arn"}
