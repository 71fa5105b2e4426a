"""Faults on demand: failures that AWS sometimes shows, produced when a test asks for them; all off by default."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from localcloud.errors import LocalCloudError
from localcloud.rekognition.exceptions import FrameworkError, RekognitionError
from localcloud.rekognition.quotas import requests_per_second

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_AWS: Final = "aws"
# AWS's codes, texts and statuses for throttling (Rekognition guide, error handling).
_SLOW_DOWN: Final = "Slow down; sudden increase in rate of requests."
_THROTTLING: Final[Mapping[str, tuple[str, str, int]]] = {
    "ThrottlingException": ("ThrottlingException", _SLOW_DOWN, HTTPStatus.BAD_REQUEST),
    "ThrottlingException 500": ("ThrottlingException", "Service Unavailable", HTTPStatus.INTERNAL_SERVER_ERROR),
    "ProvisionedThroughputExceededException": (
        "ProvisionedThroughputExceededException",
        "Provisioned rate exceeded",
        HTTPStatus.BAD_REQUEST,
    ),
}


class Breakage(Enum):
    """How an answer is cut off; the value is the name of its fault."""

    DROP = "drop"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The active faults.

    Attributes:
        tps: requests per second for each operation, `aws` for the published quotas, 0 for no limit.
        throttle: the number of next requests that are throttled.
        throttle_as: the code of that answer, and its status if it is not 400.
        fail: the number of next requests that are answered with InternalServerError.
        expire: the number of next requests that are answered as if the credentials had expired.
        deny: the number of next requests that are answered as if the operation were not permitted.
        drop: the number of next requests that are not answered: the connection is closed.
        cut: the number of next answers that are cut off in the middle: the connection is closed.
        latency: seconds that are added to every request.
        visibility_delay: seconds until a new face is found and listed.
        token_lifetime: seconds after which a NextToken expires; 0 for never.
        operation: the only operation that the faults above concern, except the last two; empty for all.
        after: the number of requests that are served normally before.
    """

    tps: float | str = 0.0
    throttle: int = 0
    throttle_as: str = "ThrottlingException"
    fail: int = 0
    expire: int = 0
    deny: int = 0
    drop: int = 0
    cut: int = 0
    latency: float = 0.0
    visibility_delay: float = 0.0
    token_lifetime: float = 0.0
    operation: str = ""
    after: int = 0


def _read_tps(value: Any) -> float | str:
    return _AWS if value == _AWS else float(value)


def _read_throttle_as(value: Any) -> str:
    if value not in _THROTTLING:
        raise ValueError(f"throttle_as is one of {', '.join(_THROTTLING)}")
    return str(value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tps": _read_tps,
    "throttle": int,
    "throttle_as": _read_throttle_as,
    "fail": int,
    "expire": int,
    "deny": int,
    "drop": int,
    "cut": int,
    "latency": float,
    "visibility_delay": float,
    "token_lifetime": float,
    "operation": str,
    "after": int,
}


def read_faults(values: Mapping[str, Any]) -> Faults:
    """Make faults from the names and values of a flag or a JSON object.

    Raises:
        LocalCloudError: when a name is unknown or a value is of the wrong kind.
    """
    unknown = sorted(set(values) - set(_READERS))
    if unknown:
        raise LocalCloudError(f"Unknown fault {', '.join(unknown)}; there are {', '.join(_READERS)}")
    try:
        return Faults(**{name: _READERS[name](value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise LocalCloudError(f"A fault has the wrong kind of value: {error}") from error


class FaultSwitch:
    """Holds the active faults and applies them; safe to share between threads."""

    def __init__(self, faults: Faults) -> None:
        self._lock = threading.Lock()
        self._faults = faults
        self._allowances: dict[tuple[str, str, str], tuple[float, float]] = {}

    @property
    def faults(self) -> Faults:
        """The active faults with their remaining counts."""
        return self._faults

    def replace(self, faults: Faults) -> None:
        """Activate other faults; the allowances of the rate limit start full."""
        with self._lock:
            self._faults = faults
            self._allowances.clear()

    def strike(self, operation: str, account: str, region: str) -> Breakage | None:
        """Apply the active faults to one request; return how its answer will be cut off, if at all.

        Raises:
            RekognitionError: when the request is throttled, fails or is refused.
        """
        faults = self._faults
        if faults.operation not in {"", operation}:
            return None
        if self._is_spent("after"):
            return None
        if faults.latency:
            time.sleep(faults.latency)
        for name, error in _ERRORS.items():
            if self._is_spent(name):
                raise error(faults, operation, account)
        with self._lock:
            if faults.tps and not self._is_allowed(operation, account, region):
                raise RekognitionError(*_THROTTLING["ProvisionedThroughputExceededException"][:2])
        return next((breakage for breakage in Breakage if self._is_spent(breakage.value)), None)

    def _is_spent(self, name: str) -> bool:
        """Reduce the remaining count of a fault by one, and say whether any was left."""
        with self._lock:
            left = int(getattr(self._faults, name))
            if left > 0:
                spent: dict[str, Any] = {name: left - 1}
                self._faults = dataclasses.replace(self._faults, **spent)
            return left > 0

    def _is_allowed(self, operation: str, account: str, region: str) -> bool:
        """Take one request from the allowance of a second, which refills steadily."""
        tps = self._faults.tps
        rate = float(requests_per_second(operation, region) if isinstance(tps, str) else tps)
        key, now = (account, region, operation), time.monotonic()
        left, then = self._allowances.get(key, (rate, now))
        left = min(rate, left + (now - then) * rate)
        self._allowances[key] = (left - 1, now) if left >= 1 else (left, now)
        return left >= 1


def _throttled(faults: Faults, *_: str) -> RekognitionError:
    code, message, status = _THROTTLING[faults.throttle_as]
    return RekognitionError(code, message, status=status)


def _failed(*_: Faults | str) -> RekognitionError:
    return RekognitionError("InternalServerError", "Internal server error", status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _expired(*_: Faults | str) -> RekognitionError:
    return FrameworkError("ExpiredTokenException", "The security token included in the request is expired")


def _denied(_: Faults, operation: str, account: str) -> RekognitionError:
    who = f"arn:aws:sts::{account}:assumed-role/localcloud/session"
    message = f"User: {who} is not authorized to perform: rekognition:{operation}"
    return RekognitionError("AccessDeniedException", message)


_ERRORS: Final[Mapping[str, Callable[[Faults, str, str], RekognitionError]]] = {
    "throttle": _throttled,
    "fail": _failed,
    "expire": _expired,
    "deny": _denied,
}
