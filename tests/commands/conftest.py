"""A seeded school with a collection and a bucket of its own, and photos that are not the sample photos."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from eduguard.aws import Bucket, Collection, open_bucket, open_collection
from eduguard.checks.verification import disguise
from eduguard.postgres import Database, connect, execute_for, read_value

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "seed_data" / "photos"
Inv = Callable[..., subprocess.CompletedProcess[str]]


class School:
    """The seeded database of one test, with a collection and a bucket of its own; nothing is enrolled yet."""

    def __init__(self, inv: Inv, database: Database, access: dict[str, Any]) -> None:
        self.name = f"school-{uuid4().hex[:12]}"
        self.database, self.access, self._inv = database, access, inv
        self.bucket: Bucket = open_bucket(self.name, **access)
        self.collection: Collection = open_collection(self.name, **access)

    def client(self, service: str) -> Any:
        """A client of boto3 for a service of the local cloud."""
        access = self.access
        return boto3.client(
            service, region_name=access["region"], endpoint_url=access["endpoint"], **access["credentials"]
        )

    def inv(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        own = {
            "INVOKE_TARGETS_LOCAL_COLLECTION": self.name,
            "INVOKE_TARGETS_LOCAL_COLLECTIONS_SCHOOL_002": f"{self.name}-2",
            "INVOKE_TARGETS_LOCAL_BUCKET": self.name,
        }
        return self._inv(*arguments, **own | options)

    def rows(self) -> list[tuple[str, str]]:
        """The rows that enrolment has written; the rows of the seeds still hold the placeholder."""
        query = (
            "SELECT external_image_id, face_id FROM student_faces WHERE face_id <> 'placeholder'"
            " AND indexed_at IS NOT NULL ORDER BY 1"
        )
        with connect(self.database, purpose="tests") as conn:
            return conn.execute(query).fetchall()

    def faces(self) -> list[tuple[str, str]]:
        if self.collection.describe() is None:
            return []
        return sorted(
            (face.external_image_id or "", face.face_id) for page in self.collection.list_faces() for face in page
        )

    def keys(self) -> list[str]:
        self.bucket.ensure_exists()
        return sorted(self.bucket.sizes())

    def assert_enrolled(self, *names: str) -> None:
        assert [name for name, _ in self.rows()] == sorted(names)
        assert self.faces() == self.rows()
        assert self.keys() == sorted(
            f"students/{name.rpartition('-photo-')[0]}/photo-{name.rpartition('-')[2]}.jpg" for name in names
        )


@pytest.fixture
def school(inv: Inv, seeded: Database, database: Database, cloud_access: dict[str, Any]) -> School:
    with connect(database.maintenance, purpose="tests") as conn:
        execute_for(conn, "CREATE DATABASE {} TEMPLATE {}", database, seeded)
    return School(inv, database, cloud_access)


@pytest.fixture
def value() -> Callable[[Database, Any], Any]:
    """Read the first value that a query finds in a database."""

    def read(database: Database, query: Any) -> Any:
        with connect(database, purpose="tests") as conn:
            return read_value(conn, query)

    return read


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return _new_photo(tmp_path / "photo.jpg", "student-001")


def _new_photo(file: Path, student: str, number: int = 1) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(disguise((PHOTOS / "students" / student / f"photo-{number}.jpg").read_bytes()))
    return file


@pytest.fixture
def new_photo() -> Callable[..., Path]:
    """Write a picture of a student that is not byte for byte one of the samples."""
    return _new_photo
