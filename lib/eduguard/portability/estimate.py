"""What it takes to index so many photos: requests a second, time and money; all of it pure."""

import math
from dataclasses import dataclass, replace
from typing import Any

from eduguard.aws import MOST_AT_ONCE
from eduguard.plurals import describe_time
from eduguard.settings import Settings

PRICES_OF = "2025-12-03"
# The quotas of IndexFaces: these regions have 50 requests a second, all others 5 (AWS general reference, Rekognition).
_FAST_REGIONS = {"us-east-1", "us-west-2", "eu-west-1"}
_FAST, _SLOW = 50, 5
SHARE = 0.97  # of the quota: a little less than AWS allows is throttled never, and is faster than its retries
# US dollars a call for so many calls of a month, and the price of all others (Rekognition's price list, group 1).
_TIERS = ((1_000_000, 0.001), (4_000_000, 0.0008), (30_000_000, 0.0006))
_REST = 0.0004
_STORAGE = 0.00001  # US dollars a face and month
_ON_LOCAL = 4  # requests under way on the local cloud: its engine takes all the processors it finds


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Requests, and how long and how dear they are; without a rate or a price on the local cloud."""

    requests: int
    faces: int
    rate: float | None
    is_paid: bool

    @property
    def seconds(self) -> float | None:
        """Return the least time that the requests take at their rate."""
        return self.requests / self.rate if self.rate else None

    @property
    def once(self) -> float | None:
        """Return the price of the requests in US dollars, as if they were the first of the month."""
        return price_calls(self.requests) if self.is_paid else None

    @property
    def monthly(self) -> float | None:
        """Return what all faces cost in a month, in US dollars."""
        return self.faces * _STORAGE if self.is_paid else None

    def __str__(self) -> str:
        parts = []
        if self.seconds is not None:
            parts.append(f"{describe_time(self.seconds)} at {self.rate:g}/s")
        if self.is_paid:
            kept = f", ${self.monthly:,.2f} a month" if self.faces else ""
            parts.append(f"${self.once:,.2f} once{kept} (prices of {PRICES_OF})")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "requests": self.requests,
            "requests_per_second": self.rate,
            "seconds": self.seconds,
            "dollars_once": self.once,
            "dollars_a_month": self.monthly,
            "prices_of": PRICES_OF if self.is_paid else None,
        }


def price_calls(calls: int) -> float:
    """Return the price of calls of one month in US dollars."""
    price, left = 0.0, calls
    for size, each in _TIERS:
        price += min(left, size) * each
        left -= min(left, size)
    return price + left * _REST


def pace_of(settings: Settings) -> float | None:
    """Return how many requests of each operation begin in a second; None: as many as the local cloud takes."""
    target = settings.target
    if target.requests_per_second or target.has_local_cloud:
        return target.requests_per_second
    return SHARE * (_FAST if target.region in _FAST_REGIONS else _SLOW)


def at_pace(settings: Settings) -> Settings:
    """Return settings whose target sends requests at the pace of its quota, where they say none."""
    return replace(settings, target=replace(settings.target, requests_per_second=pace_of(settings)))


def choose_threads(rate: float | None) -> int:
    """Return how many requests are under way together: one may take a second, and the rate is to be kept."""
    return min(MOST_AT_ONCE, math.ceil(rate)) if rate else _ON_LOCAL


def estimate(settings: Settings, *, requests: int, faces: int = 0) -> Estimate:
    """Return what it takes to index photos on a target, or to search for them.

    Args:
        settings: of the target.
        requests: how many photos are to be indexed or searched for.
        faces: how many the collections hold in the end; 0: none is added.
    """
    return Estimate(requests=requests, faces=faces, rate=pace_of(settings), is_paid=not settings.target.has_local_cloud)
