"""Keep the requests of all threads and clients to a service below its quotas."""

import threading
import time
from collections import defaultdict


class Pace:
    """Limits the requests per second of each operation, evenly spaced: each operation has its own quota."""

    def __init__(self, per_second: float) -> None:
        self._interval, self._next = 1 / per_second, defaultdict[str, float](float)
        self._lock = threading.Lock()

    def wait(self, operation: str = "") -> None:
        """Return when it is this request's turn."""
        with self._lock:
            turn = max(self._next[operation], time.monotonic())
            self._next[operation] = turn + self._interval
        time.sleep(max(0.0, turn - time.monotonic()))
