"""Requests stay below the quota of a region, whatever collection, client and thread they come from."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from eduguard.aws.pace import Pace
from eduguard.settings import Settings, load_settings
from eduguard.targets import target_collection

ROOT = Path(__file__).parents[2]
RATE = 20.0


def settings_of(endpoint: str) -> Settings:
    values: dict[str, Any] = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    del values["tasks"]
    values["targets"]["local"] |= {"rekognition_endpoint": endpoint, "requests_per_second": RATE}
    return load_settings(values, root=ROOT, environment={"DATABASE_URL": "postgresql:///none"})


def test_turns_are_evenly_spaced_between_threads() -> None:
    pace, turns, lock = Pace(200), [], threading.Lock()

    def work(_: int) -> None:
        pace.wait()
        with lock:
            turns.append(time.monotonic())

    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(20)))
    # A turn may be taken late but never early: the n-th comes after at least n - 1 intervals.
    assert all(turn - began >= number / 200 - 0.001 for number, turn in enumerate(sorted(turns)))
    assert all(later >= earlier for earlier, later in pairwise(turns))


@pytest.mark.slow
def test_collections_of_one_region_share_one_rate_and_are_never_throttled(
    cloud_endpoint: str,
    cloud_variables: dict[str, str],
    faults: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in cloud_variables.items():
        monkeypatch.setenv(name, value)
    settings = settings_of(cloud_endpoint)
    collections = [target_collection(settings, f"rate-{number}") for number in range(3)]
    faults(tps=RATE)
    answers: list[int] = []
    for collection in collections:
        collection._client.meta.events.register(
            "after-call.rekognition", lambda parsed, **_: answers.append(parsed["ResponseMetadata"]["RetryAttempts"])
        )
    with ThreadPoolExecutor(3) as threads:
        for collection in collections:
            for _ in range(15):
                threads.submit(collection.describe)
    assert answers == [0] * 45
