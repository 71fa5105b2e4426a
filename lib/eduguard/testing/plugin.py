"""The pytest fixtures and markers; nothing is imported or started until a test uses one of them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from collections.abc import Generator

    from eduguard.testing.cloud import SchoolBucket, SchoolCollection
    from eduguard.testing.databases import SchoolDatabase
    from eduguard.testing.recipes import Recipe
    from eduguard.testing.runs import Run

_PROJECT = "eduguard_project"
_MARKERS = (
    "school_db(transaction=False): with True, the test shares a database and its transaction is rolled back",
    "school_seed(folder): the fixtures and photos of this folder, relative to pytest's root folder",
    "school_students(count, schools=1, photos=False, seed='1'): a school that `inv generate` makes up",
)
_CLONES = pytest.StashKey[list["SchoolDatabase"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names the project."""
    parser.addini(_PROJECT, "the folder of EduGuard DB's invoke.yaml, relative to pytest's root folder", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> "Generator[None, pytest.TestReport, pytest.TestReport]":
    """Keep the database of a failed test, and say in its report where it is."""
    report = yield
    if report.failed and report.when != "teardown":
        for database in item.stash.get(_CLONES, []):
            database.keep()
            report.sections.append(("school_db", f"kept until the next run: {database.shown_url}"))
    return report


@pytest.fixture(scope="session")
def _school_run(request: pytest.FixtureRequest) -> "Iterator[Run]":
    from eduguard.testing.runs import open_run

    config, worker = request.config, getattr(request.config, "workerinput", {})
    with _told():
        run = open_run(_project_folder(config), worker.get("testrunuid", ""), worker.get("workerid", "main"))
    yield run
    run.close()


@pytest.fixture
def _school_recipe(request: pytest.FixtureRequest, _school_run: "Run") -> "Recipe":
    from eduguard.testing.recipes import read_recipe

    with _told():
        return read_recipe(request.node, _school_run.settings)


@pytest.fixture
def school_db(
    request: pytest.FixtureRequest, _school_run: "Run", _school_recipe: "Recipe"
) -> "Iterator[SchoolDatabase]":
    """A database for this test alone: migrated, filled with the fixtures, and synced."""
    from eduguard.testing.recipes import wants_transaction

    with _told():
        if wants_transaction(request.node):
            with _school_run.transaction(_school_recipe) as database:
                yield database
            return
        database = _school_run.make_database(_school_recipe)
    request.node.stash[_CLONES] = [database]
    yield database
    _school_run.drop(database)


@pytest.fixture
def school_collection(_school_run: "Run", _school_recipe: "Recipe") -> "Iterator[SchoolCollection]":
    """Collections for this test alone in the local cloud, with the faces that the rows of `school_db` name."""
    with _told():
        collection = _school_run.make_collection(_school_recipe)
    yield collection
    _school_run.delete_collection(collection)


@pytest.fixture
def school_bucket(_school_run: "Run", _school_recipe: "Recipe") -> "Iterator[SchoolBucket]":
    """A bucket for this test alone in the local cloud, with the photos that the rows of `school_db` name."""
    with _told():
        bucket = _school_run.make_bucket(_school_recipe)
    yield bucket
    _school_run.delete_bucket(bucket)


def _project_folder(config: pytest.Config) -> Path:
    """Return the folder of invoke.yaml: from the setting, from the variable, or else the installed checkout."""
    named = str(config.getini(_PROJECT)) or os.environ.get(_PROJECT.upper())
    return (config.rootpath / named).resolve() if named else Path(__file__).resolve().parents[3]


@contextmanager
def _told() -> Iterator[None]:
    """Show a failure that the developer can fix as a message, without a traceback through our code."""
    try:
        yield
    except EduguardError as error:
        raise pytest.fail.Exception(f"EduGuard DB: {error}", pytrace=False) from None
