"""Faults on demand: what AWS does now and then, done when a test asks for it. All are off by default."""

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
# The codes, texts and statuses with which AWS throttles (Rekognition guide, error handling).
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
    """How an answer is broken off; the value is the name of its fault."""

    DROP = "drop"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults in force.

    Attributes:
        tps: requests a second for each operation, `aws` for the published quotas, 0 for no limit.
        throttle: so many requests to come are throttled.
        throttle_as: the code of that answer, and its status where it is not 400.
        fail: so many requests to come are answered InternalServerError.
        expire: so many requests to come find the credentials expired.
        deny: so many requests to come find the operation not permitted.
        drop: so many requests to come are not answered: the connection is closed.
        cut: so many answers to come break off in the middle: the connection is closed.
        latency: seconds that every request takes longer.
        visibility_delay: seconds until a new face is found and listed.
        token_lifetime: seconds after which a NextToken has expired; 0 for never.
        operation: the only operation that all but the two lines above concern; empty for all.
        after: so many requests are let through before.
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

    def strike(self, operation: str, account: str, region: str) -> Breakage | None:
        """Do to one request what is in force; return how its answer is to break off, if it is.

        Raises:
            RekognitionError: it is throttled, fails or is refused.
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
        """Count one down of what is left of a fault, and say whether there was one."""
        with self._lock:
            left = int(getattr(self._faults, name))
            if left > 0:
                spent: dict[str, Any] = {name: left - 1}
                self._faults = dataclasses.replace(self._faults, **spent)
            return left > 0

    def _is_allowed(self, operation: str, account: str, region: str) -> bool:
        """Take one from the allowance of a second, which refills steadily."""
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
