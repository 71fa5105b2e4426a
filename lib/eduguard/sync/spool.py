"""A list that needs little memory: all but the last few thousand items are in an unnamed temporary file."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Generic, TypeVar

Item = TypeVar("Item", bound=tuple[Any, ...])
_AT_ONCE = 4096  # items held in memory, read and written together


class Spool(Generic[Item]):
    """Named tuples of plain values that are appended one by one and can be read several times.

    The file has no name, so nothing is left of it, whatever happens to the process.
    """

    def __init__(self, make: Callable[[Iterable[Any]], Item], items: Iterable[Item] = ()) -> None:
        """Make a spool of items; `make` is the `_make` of their named tuple."""
        self._make = make
        self._recent: list[Item] = []
        self._file: IO[bytes] | None = None
        self._written = 0
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """Add an item at the end."""
        self._recent.append(item)
        if len(self._recent) == _AT_ONCE:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="eduguard-")  # noqa: SIM115 -- lives as long as the spool
            self._file.seek(0, 2)
            self._file.write(json.dumps(self._recent).encode() + b"\n")
            self._written += len(self._recent)
            self._recent = []

    def __len__(self) -> int:
        return self._written + len(self._recent)

    def __iter__(self) -> Iterator[Item]:
        position, make = 0, self._make
        while self._file is not None:
            self._file.seek(position)
            if not (line := self._file.readline()):
                break
            position += len(line)
            yield from map(make, json.loads(line))
        yield from self._recent

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()
