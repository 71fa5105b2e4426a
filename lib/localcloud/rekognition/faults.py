"""Faults on demand: what AWS does now and then, done when a test asks for it. All are off by default."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from localcloud.errors import LocalCloudError
from localcloud.rekognition.exceptions import RekognitionError
from localcloud.rekognition.quotas import requests_per_second

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_AWS: Final = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults in force.

    Attributes:
        tps: requests a second for each operation, `aws` for the published quotas, 0 for no limit.
        throttle: so many requests to come are answered ThrottlingException.
        fail: so many requests to come are answered InternalServerError.
        latency: seconds that every request takes longer.
        visibility_delay: seconds until a new face is found and listed.
        token_lifetime: seconds after which a NextToken has expired; 0 for never.
        operation: the only operation that tps, throttle, fail and latency concern; empty for all.
    """

    tps: float | str = 0.0
    throttle: int = 0
    fail: int = 0
    latency: float = 0.0
    visibility_delay: float = 0.0
    token_lifetime: float = 0.0
    operation: str = ""


def _read_tps(value: Any) -> float | str:
    return _AWS if value == _AWS else float(value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tps": _read_tps,
    "throttle": int,
    "fail": int,
    "latency": float,
    "visibility_delay": float,
    "token_lifetime": float,
    "operation": str,
}


def read_faults(values: Mapping[str, Any]) -> Faults:
    """Make faults of names and values as a flag or a JSON object has them.

    Raises:
        LocalCloudError: a name is unknown or a value is of the wrong kind.
    """
    unknown = sorted(set(values) - set(_READERS))
    if unknown:
        raise LocalCloudError(f"Unknown fault {', '.join(unknown)}; there are {', '.join(_READERS)}")
    try:
        return Faults(**{name: _READERS[name](value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise LocalCloudError(f"A fault has the wrong kind of value: {error}") from error


class FaultSwitch:
    """Holds the faults in force and commits them; safe to share between threads."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._faults = faults
        self._allowances: dict[tuple[str, str, str], tuple[float, float]] = {}

    @property
    def faults(self) -> Faults:
        """What is in force, with the counts that are left."""
        return self._faults

    def replace(self, faults: Faults) -> None:
        """Put other faults in force; allowances of the rate limit start full."""
        with self._lock:
            self._faults = faults
            self._allowances.clear()

    def strike(self, operation: str, account: str, region: str) -> None:
        """Do to one request what is in force.

        Raises:
            RekognitionError: it is throttled, or fails.
        """
        faults = self._faults
        if faults.operation not in {"", operation}:
            return
        if faults.latency:
            time.sleep(faults.latency)
        with self._lock:
            self._count_down("throttle", _throttled())
            self._count_down("fail", _failed())
            if faults.tps and not self._is_allowed(operation, account, region):
                raise RekognitionError("ProvisionedThroughputExceededException", "Provisioned rate exceeded")

    def _count_down(self, name: str, error: RekognitionError) -> None:
        left = getattr(self._faults, name)
        if left > 0:
            self._faults = dataclasses.replace(self._faults, **{name: left - 1})
            raise error

    def _is_allowed(self, operation: str, account: str, region: str) -> bool:
        """Take one from the allowance of a second, which refills steadily."""
        tps = self._faults.tps
        rate = float(requests_per_second(operation, region) if isinstance(tps, str) else tps)
        key, now = (account, region, operation), time.monotonic()
        left, then = self._allowances.get(key, (rate, now))
        left = min(rate, left + (now - then) * rate)
        self._allowances[key] = (left - 1, now) if left >= 1 else (left, now)
        return left >= 1


def _throttled() -> RekognitionError:
    return RekognitionError("ThrottlingException", "Slow down; sudden increase in rate of requests.")


def _failed() -> RekognitionError:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return RekognitionError("InternalServerError", "Internal server error", status=status)
