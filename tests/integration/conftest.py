"""A seeded school to be synced, a client of the local cloud, and its faults."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from eduguard.database import Database, connect, execute_for
from eduguard.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def client(cloud_client: Callable[[str], Any]) -> Any:
    return cloud_client("rekognition")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings as they come, with migrations and fixtures of the test's own."""
    for folder in ("migrations", "seed_data"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("photos"))
    values = yaml.safe_load((ROOT / "invoke.yaml").read_text())
    values.pop("tasks")
    return load_settings(values, root=tmp_path, environment={})


@pytest.fixture
def school(database: Database, seeded: Database) -> Database:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, seeded)
    return database


@pytest.fixture
def faults(tell_cloud: Callable[..., None]) -> Iterator[Callable[..., None]]:
    """Put faults in force, and no others; they end with the test."""
    yield tell_cloud
    tell_cloud()
