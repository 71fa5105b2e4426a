"""Keep the requests to a service below its quota, whatever thread and client they come from."""

import threading
import time


class Pace:
    """Lets so many requests a second begin, evenly spaced."""

    def __init__(self, per_second: float) -> None:
        self._interval, self._next = 1 / per_second, 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this request's turn."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval
        time.sleep(max(0.0, turn - time.monotonic()))
