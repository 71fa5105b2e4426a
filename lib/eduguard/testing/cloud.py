"""The collections and the bucket that a test gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eduguard.aws.copies import Copies


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolCollection:
    """Collections with the faces of the fixtures: one for each school."""

    name: str
    """the collection of the only school, or of the school that the settings' `collections` does not name"""
    by_school: Mapping[str, str]
    """the collections of the other schools, by school id"""
    variables: Mapping[str, str] = field(repr=False)
    """the environment variables that point an AWS SDK to the local cloud"""
    _copies: Copies = field(repr=False)

    @property
    def client(self) -> Any:
        """A boto3 client for Rekognition."""
        return self._copies.client("rekognition")

    @property
    def names(self) -> list[str]:
        """The names of all collections."""
        return [self.name, *self.by_school.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolBucket:
    """A bucket with the photos of the fixtures."""

    name: str
    variables: Mapping[str, str] = field(repr=False)
    """the environment variables that point an AWS SDK to the local cloud"""
    _copies: Copies = field(repr=False)

    @property
    def client(self) -> Any:
        """A boto3 client for S3."""
        return self._copies.client("s3")
