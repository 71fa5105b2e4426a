"""How long indexing takes and what it costs."""

from dataclasses import replace

import pytest

from eduguard.plurals import describe_time
from eduguard.portability import at_pace, choose_threads, estimate
from eduguard.portability.estimate import price_calls
from eduguard.settings import Settings


def on_aws(settings: Settings, *, region: str = "us-east-1", rate: float | None = None) -> Settings:
    target = replace(settings.target, rekognition_endpoint=None, region=region, requests_per_second=rate)
    return replace(settings, target=target)


@pytest.mark.parametrize(
    ("calls", "dollars"),
    [(0, 0), (1, 0.001), (1_000_000, 1_000), (1_000_001, 1_000.0008), (5_000_000, 4_200), (35_000_000, 22_200), (36_000_000, 22_600)],
)  # fmt: skip
def test_calls_are_priced_by_the_tiers_of_a_month(calls: int, dollars: float) -> None:
    assert price_calls(calls) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (0.1, "1 s"), (255, "4 min 15 s"), (3600, "1 h"), (7261.2, "2 h 1 min 2 s")]
)
def test_a_time_is_told_in_whole_seconds(seconds: float, text: str) -> None:
    assert describe_time(seconds) == text


def test_the_time_is_at_the_rate_of_the_settings_and_the_month_counts_every_face(settings: Settings) -> None:
    found = estimate(on_aws(settings, rate=47.5), requests=12_110, faces=18_400)
    assert str(found) == "4 min 15 s at 47.5/s, $12.11 once, $0.18 a month (prices of 2025-12-03)"
    assert found.as_json()["requests_per_second"] == 47.5


@pytest.mark.parametrize(("region", "quota"), [("us-east-1", 50), ("eu-west-1", 50), ("sa-east-1", 5)])
def test_without_a_rate_requests_keep_just_below_the_quota_of_the_region(
    settings: Settings, region: str, quota: float
) -> None:
    rate = at_pace(on_aws(settings, region=region)).target.requests_per_second
    assert rate
    assert 0.95 * quota < rate < quota
    assert choose_threads(rate) >= rate


def test_the_local_cloud_costs_nothing_and_has_no_quota(settings: Settings) -> None:
    assert at_pace(settings).target.requests_per_second is None
    found = estimate(settings, requests=10, faces=10)
    assert (str(found), found.seconds, found.once, found.monthly) == ("", None, None, None)
