"""Rekognition with face collections, added to moto at its own extension point.

moto builds the backend of an account and region from `rekognition_backends.backend`. It takes the urls, and with them
the response class, from the module `urls` beside the module `models` that defines the backend. Nothing is patched.
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
    """One account and region; it has no state of its own, so moto may discard it and make another."""

    def __init__(self, region_name: str, account_id: str, service: Service) -> None:
        super().__init__(region_name, account_id)
        self.service = service

    def reset(self) -> None:
        """Keep everything: data on disk survives moto's own reset."""

    @property
    def store(self) -> Store:
        """The collections of this account and region."""
        return self.service.store(self.account_id, self.region_name)

    def read_object(self, bucket: str, name: str, version: str | None) -> bytes | None:
        """Return the content of an S3 object; None if it does not exist in this region."""
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
    """Add face collections to moto's Rekognition; must be called before the first request."""
    # moto calls it only with region and account, as it would call the class.
    rekognition_backends.backend = functools.partial(CollectionsBackend, service=service)  # type: ignore[assignment]
    for account in rekognition_backends.values():
        account.backend = rekognition_backends.backend
