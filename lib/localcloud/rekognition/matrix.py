"""Embeddings in memory, searched by matrix products.

The rows are in blocks of fixed size, so growing does not copy them and memory stays near 4 bytes per number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from localcloud.rekognition.engine import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_BLOCK_ROWS: Final = 65_536  # 32 MiB of float32


class Matrix:
    """Unit vectors by row id; not thread-safe: the store lets one thread use it at a time."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[np.float32]] = []
        self._ids: list[NDArray[np.int64]] = []
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Append vectors, shape (n, 128), under new row ids."""
        done = 0
        while done < len(row_ids):
            start = len(self._rows)
            block, offset = divmod(start, _BLOCK_ROWS)
            self._ensure_block(block)
            count = min(len(row_ids) - done, _BLOCK_ROWS - offset)
            self._blocks[block][offset : offset + count] = vectors[done : done + count]
            self._ids[block][offset : offset + count] = row_ids[done : done + count]
            self._rows.update(zip(row_ids[done : done + count].tolist(), range(start, start + count), strict=True))
            done += count

    def remove(self, row_ids: Iterable[int]) -> None:
        """Remove rows; the last row moves into each gap."""
        for row_id in row_ids:
            gap, last = self._rows.pop(row_id), len(self._rows)
            if gap != last:
                self._move(last, gap)

    def search(self, query: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return row ids and cosines of the `count` nearest rows, nearest first; equal ones in the order of row ids."""
        if not self._rows:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        cosines = np.concatenate([block @ query for block in self._filled()])
        row_ids = np.concatenate(self._ids)[: len(cosines)]
        if count < len(cosines):
            nearest = np.argpartition(cosines, len(cosines) - count)[-count:]
            cosines, row_ids = cosines[nearest], row_ids[nearest]
        order = np.lexsort((row_ids, -cosines))
        return row_ids[order], cosines[order]

    def _filled(self) -> Iterable[NDArray[np.float32]]:
        left = len(self._rows)
        for block in self._blocks:
            if left <= 0:
                return
            yield block[:left]
            left -= _BLOCK_ROWS

    def _ensure_block(self, block: int) -> None:
        if block == len(self._blocks):
            self._blocks.append(np.empty((_BLOCK_ROWS, DIMENSIONS), np.float32))
            self._ids.append(np.empty(_BLOCK_ROWS, np.int64))

    def _move(self, source: int, target: int) -> None:
        (source_block, source_row), (target_block, target_row) = (divmod(row, _BLOCK_ROWS) for row in (source, target))
        self._blocks[target_block][target_row] = self._blocks[source_block][source_row]
        self._ids[target_block][target_row] = self._ids[source_block][source_row]
        self._rows[int(self._ids[target_block][target_row])] = target
