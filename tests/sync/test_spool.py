"""A spool is read back as it was written, however long it has become."""

from itertools import pairwise

import pytest

from eduguard.aws.types import Face
from eduguard.sync import spool
from eduguard.sync.spool import Spool


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 9])
def test_items_come_back_in_order_from_memory_and_file(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_AT_ONCE", 4)
    faces = [Face(f"face\t{number}", None if number % 2 else "é\n", number / 3) for number in range(length)]
    kept = Spool(Face._make, faces)
    assert list(kept) == faces
    assert all(isinstance(face, Face) for face in kept)
    assert (len(kept), bool(kept)) == (length, length > 0)


def test_two_readers_and_a_writer_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_AT_ONCE", 2)
    kept = Spool(Face._make, [Face(str(number), None, 0.0) for number in range(5)])
    one, other = iter(kept), iter(kept)
    next(one)
    kept.append(Face("5", None, 0.0))
    assert [face.face_id for face in other] == ["0", "1", "2", "3", "4", "5"]
    assert [face.face_id for face in one] == ["1", "2", "3", "4", "5"]
    assert all(a.face_id < b.face_id for a, b in pairwise(kept))
