"""A counted share, and the interval that probably contains the true share; pure."""

import math
from dataclasses import dataclass
from statistics import NormalDist

_SURE = 0.95
_Z = NormalDist().inv_cdf((1 + _SURE) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A count out of a total, with Wilson's 95 % interval (E. B. Wilson, JASA 22, 1927), which assumes independence."""

    count: int
    of: int

    @property
    def rate(self) -> float:
        """Return the counted share, from 0 to 1; 0 if the total is 0."""
        return self.count / self.of if self.of else 0.0

    @property
    def low(self) -> float:
        """Return the lower end of the interval."""
        return 0.0 if self.count == 0 else max(0.0, self._centre - self._reach)

    @property
    def high(self) -> float:
        """Return the upper end of the interval; 1 if the total is 0."""
        return 1.0 if self.count == self.of else min(1.0, self._centre + self._reach)

    @property
    def _centre(self) -> float:
        return (self.count + _Z**2 / 2) / (self.of + _Z**2)

    @property
    def _reach(self) -> float:
        spread = self.count * (self.of - self.count) / self.of + _Z**2 / 4
        return _Z * math.sqrt(spread) / (self.of + _Z**2)

    def __str__(self) -> str:
        return f"{self.count:,} of {self.of:,} ({_percent(self.low)} to {_percent(self.high)} %)"

    def as_json(self) -> dict[str, float]:
        """Return plain values; the rates are from 0 to 1."""
        return {"count": self.count, "of": self.of, "rate": self.rate, "low": self.low, "high": self.high}


def count_needed(goal: float) -> int:
    """Return how many must be counted without an error for an interval that ends at the goal, from 0 to 1."""
    return math.ceil(_Z**2 * (1 - goal) / goal)


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g}"
