"""Rekognition with face collections, put into moto through its own seam.

moto builds the backend of an account and region from `rekognition_backends.backend`, and takes the urls, and so the
response class, from the module named `urls` beside the one named `models` that defines the backend. Nothing is patched.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from moto.rekognition.models import RekognitionBackend, rekognition_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends

if TYPE_CHECKING:
    from localcloud.rekognition.service import Service
    from localcloud.rekognition.store import Store


class CollectionsBackend(RekognitionBackend):
    """One account and region; keeps nothing itself, so that moto may throw it away and make another."""

    def __init__(self, region_name: str, account_id: str, service: Service) -> None:
        super().__init__(region_name, account_id)
        self.service = service

    def reset(self) -> None:
        """Keep everything: what is on disk outlives moto's own reset."""

    @property
    def store(self) -> Store:
        """The collections of this account and region."""
        return self.service.store(self.account_id, self.region_name)

    def read_object(self, bucket: str, name: str, version: str | None) -> bytes | None:
        """Return the content of an S3 object; None if it is not there, or not in this region."""
        try:
            with self.service.buckets_turn():
                return self._read_object(bucket, name, version)
        except MissingBucket:
            return None

    def _read_object(self, bucket: str, name: str, version: str | None) -> bytes | None:
        buckets = s3_backends[self.account_id][self.partition]
        if buckets.head_bucket(bucket).region_name != self.region_name:
            return None
        found = buckets.get_object(bucket, name, version)
        return None if found is None else bytes(found.value)


def install(service: Service) -> None:
    """Make moto's Rekognition keep face collections; to be called before the first request."""
    # moto only ever calls it with region and account, as it would call the class.
    rekognition_backends.backend = functools.partial(CollectionsBackend, service=service)  # type: ignore[assignment]
    for account in rekognition_backends.values():
        account.backend = rekognition_backends.backend
