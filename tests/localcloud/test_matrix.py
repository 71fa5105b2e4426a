"""The matrix of embeddings finds the same faces as a plain search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.rekognition import matrix
from localcloud.rekognition.engine import DIMENSIONS
from localcloud.rekognition.matrix import Matrix


def unit_vectors(count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks():
    patch = pytest.MonkeyPatch()
    patch.setattr(matrix, "_BLOCK_ROWS", 7)
    yield
    patch.undo()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 40), st.sets(st.integers(1, 40)), st.integers(1, 50), st.integers(0, 9))
def test_after_adding_and_removing_it_finds_the_nearest_in_order(added: int, gone: set[int], count: int, seed: int):
    vectors = unit_vectors(added, seed)
    rows = Matrix()
    rows.add(np.arange(1, added + 1), vectors)
    gone = {row for row in gone if row <= added}
    rows.remove(sorted(gone))
    left = [row for row in range(1, added + 1) if row not in gone]
    query = unit_vectors(1, seed + 100)[0]
    found, cosines = rows.search(query, count)
    expected = sorted(left, key=lambda row: -float(vectors[row - 1] @ query))[:count]
    assert len(rows) == len(left)
    assert found.tolist() == expected
    assert np.allclose(cosines, [vectors[row - 1] @ query for row in expected], atol=1e-6)


def test_equal_rows_come_in_order_of_their_ids():
    rows = Matrix()
    rows.add(np.array([5, 3, 9]), np.repeat(unit_vectors(1, 0), 3, axis=0))
    assert rows.search(unit_vectors(1, 0)[0], 3)[0].tolist() == [3, 5, 9]


@pytest.mark.parametrize("pieces", [(5, 5), (3, 20, 1), (7, 7), (1, 6, 8)])
def test_vectors_added_in_pieces_across_the_end_of_a_block_are_found_under_their_own_ids(pieces: tuple[int, ...]):
    vectors, rows, start = unit_vectors(sum(pieces), 1), Matrix(), 0
    for count in pieces:
        rows.add(np.arange(start, start + count) + 100, vectors[start : start + count])
        start += count
    gone = [start - 1, start - 2]
    rows.remove([row + 100 for row in gone])
    assert len(rows) == start - len(gone)
    for row, vector in list(enumerate(vectors))[: -len(gone)]:
        found, cosines = rows.search(vector, 1)
        assert (found.tolist(), round(float(cosines[0]), 5)) == ([row + 100], 1.0)
