"""Estimate what indexing photos takes: requests a second, time and money; pure."""

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
SHARE = 0.97  # of the quota: slightly below the limit nothing is throttled, which is faster than retries
# Numbers of calls in a month with their price in US dollars a call, then the price of all further calls (Rekognition's
# price list, group 1).
_TIERS = ((1_000_000, 0.001), (4_000_000, 0.0008), (30_000_000, 0.0006))
_REST = 0.0004
_STORAGE = 0.00001  # US dollars a face and month
_ON_LOCAL = 4  # requests at the same time on the local cloud: its engine uses all processors


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The number of requests, their time and their price; the local cloud has neither a rate limit nor a price."""

    requests: int
    faces: int
    rate: float | None
    is_paid: bool

    @property
    def seconds(self) -> float | None:
        """Return the least time that the requests take at their rate, in seconds."""
        return self.requests / self.rate if self.rate else None

    @property
    def once(self) -> float | None:
        """Return the price of the requests in US dollars, as if they were the first requests of the month."""
        return price_calls(self.requests) if self.is_paid else None

    @property
    def monthly(self) -> float | None:
        """Return the price of storing all faces for a month, in US dollars."""
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
    """Return the price of one month's calls in US dollars."""
    price, left = 0.0, calls
    for size, each in _TIERS:
        price += min(left, size) * each
        left -= min(left, size)
    return price + left * _REST


def pace_of(settings: Settings) -> float | None:
    """Return how many requests of each operation start in a second; None means as many as the local cloud can take."""
    target = settings.target
    if target.requests_per_second or target.has_local_cloud:
        return target.requests_per_second
    return SHARE * (_FAST if target.region in _FAST_REGIONS else _SLOW)


def at_pace(settings: Settings) -> Settings:
    """Return settings whose target sends requests at the pace of its quota, unless they set another pace."""
    return replace(settings, target=replace(settings.target, requests_per_second=pace_of(settings)))


def choose_threads(rate: float | None) -> int:
    """Return how many requests to run at the same time to keep the rate, if each may take a second."""
    return min(MOST_AT_ONCE, math.ceil(rate)) if rate else _ON_LOCAL


def estimate(settings: Settings, *, requests: int, faces: int = 0) -> Estimate:
    """Estimate what it takes to index photos on a target, or to search for them.

    Args:
        settings: the settings of the target.
        requests: how many photos to index or to search for.
        faces: how many faces the collections hold at the end; 0 if none are added.
    """
    return Estimate(requests=requests, faces=faces, rate=pace_of(settings), is_paid=not settings.target.has_local_cloud)
