"""moto's S3 with buckets and objects kept on disk.

moto keeps everything in memory. Our backend records which objects a request touches. After moto has answered, and
before the client gets the answer, these objects are written in one transaction. A request that configures a bucket
(its creation, versioning, policy, ...) completely replaces the earlier one, so the request itself is kept and replayed.
"""

from __future__ import annotations

import functools
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import FakeKey, FakeMultipart, S3Backend, s3_backends

from localcloud.errors import LocalCloudError
from localcloud.log import note
from localcloud.s3.records import (
    forget_parts,
    key_record,
    restore_key,
    restore_marker,
    restore_upload,
    stored_content,
    upload_record,
    use_content,
)
from localcloud.s3.store import StoredContent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from localcloud.s3.store import ObjectStore


@dataclass(slots=True)
class Touched:
    """The objects that the current request has touched; requests to S3 take turns.

    Attributes:
        needs_loading: whether moto's memory is empty, because the server has just started or moto was reset.
    """

    needs_loading: bool = True
    objects: set[tuple[str, str]] = field(default_factory=set)
    uploads: set[tuple[str, str]] = field(default_factory=set)

    def clear(self) -> None:
        """Begin a new request."""
        self.objects.clear()
        self.uploads.clear()


class DurableS3Backend(S3Backend):
    """moto's backend that records which objects are touched."""

    def __init__(self, region_name: str, account_id: str, touched: Touched) -> None:
        super().__init__(region_name, account_id)
        self._touched = touched

    def reset(self) -> None:
        """Let everything be loaded again: data on disk survives moto's own reset."""
        forget(self._touched)

    def put_object(self, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> FakeKey:
        """Note the object."""
        self._touched.objects.add((bucket_name, key_name))
        return super().put_object(bucket_name, key_name, *args, **kwargs)

    def get_object(self, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> FakeKey | None:
        """Note the object: a change of tags, ACL or retention gets it first."""
        self._touched.objects.add((bucket_name, key_name))
        return super().get_object(bucket_name, key_name, *args, **kwargs)

    def delete_object(self, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> tuple[bool, dict[str, Any]]:
        """Note the object."""
        self._touched.objects.add((bucket_name, key_name))
        return super().delete_object(bucket_name, key_name, *args, **kwargs)

    def create_multipart_upload(self, bucket_name: str, *args: Any, **kwargs: Any) -> FakeMultipart:
        """Note the upload."""
        upload = super().create_multipart_upload(bucket_name, *args, **kwargs)
        self._touched.uploads.add((bucket_name, upload.id))
        return upload

    def upload_part(self, bucket_name: str, multipart_id: str, *args: Any, **kwargs: Any) -> FakeKey:
        """Note the upload."""
        self._note_upload(bucket_name, multipart_id)
        return super().upload_part(bucket_name, multipart_id, *args, **kwargs)

    def upload_part_copy(self, dest_bucket_name: str, multipart_id: str, *args: Any, **kwargs: Any) -> FakeKey:
        """Note the upload."""
        self._note_upload(dest_bucket_name, multipart_id)
        return super().upload_part_copy(dest_bucket_name, multipart_id, *args, **kwargs)

    def complete_multipart_upload(
        self, bucket_name: str, multipart_id: str, *args: Any, **kwargs: Any
    ) -> FakeKey | None:
        """Note the upload, which ends."""
        self._note_upload(bucket_name, multipart_id)
        return super().complete_multipart_upload(bucket_name, multipart_id, *args, **kwargs)

    def abort_multipart_upload(self, bucket_name: str, multipart_id: str) -> None:
        """Note the upload, which ends."""
        self._note_upload(bucket_name, multipart_id)
        super().abort_multipart_upload(bucket_name, multipart_id)

    def _note_upload(self, bucket_name: str, multipart_id: str) -> None:
        if multipart_id not in self.get_bucket(bucket_name).multiparts:
            raise NoSuchUpload(upload_id=multipart_id)
        self._touched.uploads.add((bucket_name, multipart_id))


def install(touched: Touched) -> None:
    """Make moto's S3 record what it touches; must be called before the first request."""
    # moto calls it only with region and account, as it would call the class.
    s3_backends.backend = functools.partial(DurableS3Backend, touched=touched)  # type: ignore[assignment]
    for account in s3_backends.values():
        account.backend = s3_backends.backend


def forget(touched: Touched) -> None:
    """Empty moto's memory of buckets, so that the next request loads them."""
    for account in s3_backends.values():
        for backend in account.values():
            backend.buckets.clear()
    s3_backends.bucket_accounts.clear()
    touched.needs_loading = True


def save(store: ObjectStore, connection: sqlite3.Connection, touched: Touched) -> bool:
    """Write the present state of what a request touched; say whether a content was removed."""
    removed = [_save_object(store, connection, bucket, name) for bucket, name in touched.objects]
    removed += [_save_upload(store, connection, bucket, upload_id) for bucket, upload_id in touched.uploads]
    return any(removed)


def restore(store: ObjectStore, touched: Touched) -> None:
    """Reset what a request touched in memory to the state on disk."""
    for bucket, name in touched.objects:
        backend = _backend_of(bucket)
        if backend is not None:
            dict.pop(backend.buckets[bucket].keys, name, None)  # moto's own pop has no default
        for row in store.rows("SELECT * FROM object WHERE bucket = ? AND name = ? ORDER BY position", bucket, name):
            _load_version(store, row)
    for bucket, upload_id in touched.uploads:
        backend = _backend_of(bucket)
        if backend is not None:
            backend.buckets[bucket].multiparts.pop(upload_id, None)
        for row in store.rows("SELECT * FROM upload WHERE id = ?", upload_id):
            _load_upload(store, row)


def load(store: ObjectStore) -> None:
    """Load all objects and unfinished uploads into their buckets; those of a missing bucket stay on disk."""
    for row in store.rows("SELECT * FROM object ORDER BY bucket, name, position"):
        _load_version(store, row)
    for row in store.rows("SELECT * FROM upload"):
        _load_upload(store, row)


def copy_objects(source: str, target: str) -> None:
    """Copy the newest version of every object of a bucket into another one.

    Raises:
        LocalCloudError: when a bucket does not exist.
    """
    for name in (source, target):
        if _backend_of(name) is None:
            raise LocalCloudError(f"There is no bucket {name}")
    backend = s3_backends[s3_backends.bucket_accounts[source][1]][s3_backends.bucket_accounts[source][0]]
    for name, key in list(backend.buckets[source].keys.items()):
        if isinstance(key, FakeKey):  # not a delete marker
            backend.copy_object(key, target, name)


def _save_object(store: ObjectStore, connection: sqlite3.Connection, bucket: str, name: str) -> bool:
    backend = _backend_of(bucket)
    versions = [] if backend is None else backend.buckets[bucket].keys.getlist(name, [])
    old = connection.execute("SELECT content FROM object WHERE bucket = ? AND name = ?", (bucket, name)).fetchall()
    connection.execute("DELETE FROM object WHERE bucket = ? AND name = ?", (bucket, name))
    kept = set()
    for position, key in enumerate(versions):
        content = _save_content(store, connection, key) if isinstance(key, FakeKey) else None
        kept.add(content)
        tags = backend.tagger.get_tag_dict_for_resource(key.arn) if backend and content is not None else {}
        record = key_record(key, tags)
        connection.execute("INSERT INTO object VALUES (?, ?, ?, ?, ?)", (bucket, name, position, record, content))
    return _delete_contents(connection, {row["content"] for row in old} - kept - {None})


def _save_upload(store: ObjectStore, connection: sqlite3.Connection, bucket: str, upload_id: str) -> bool:
    backend = _backend_of(bucket)
    upload = backend.buckets[bucket].multiparts.get(upload_id) if backend else None
    old = connection.execute("SELECT content FROM part WHERE upload = ?", (upload_id,)).fetchall()
    connection.execute("DELETE FROM part WHERE upload = ?", (upload_id,))
    connection.execute("DELETE FROM upload WHERE id = ?", (upload_id,))
    kept = set()
    if upload is not None:
        connection.execute("INSERT INTO upload VALUES (?, ?, ?)", (upload_id, bucket, upload_record(upload)))
        for number, key in upload.parts.items():
            kept.add(content := _save_content(store, connection, key))
            values = (upload_id, number, key_record(key, {}), content)
            connection.execute("INSERT INTO part VALUES (?, ?, ?, ?)", values)
    return _delete_contents(connection, {row["content"] for row in old} - kept - {None})


def _save_content(store: ObjectStore, connection: sqlite3.Connection, key: FakeKey) -> int:
    stored = stored_content(key)
    if stored is not None:
        return stored.content
    # Random, not counted: a number used by a failed transaction must never be used again.
    content = secrets.randbits(62) + 1
    connection.execute("INSERT INTO content (id, value) VALUES (?, ?)", (content, key.value))
    use_content(key, StoredContent(store, content))
    forget_parts(key)
    return content


def _delete_contents(connection: sqlite3.Connection, contents: Collection[int | None]) -> bool:
    connection.executemany("DELETE FROM content WHERE id = ?", [(content,) for content in contents])
    return bool(contents)


def _load_version(store: ObjectStore, row: sqlite3.Row) -> None:
    backend = _backend_of(row["bucket"])
    if backend is None:
        note(f"The bucket {row['bucket']} is not there, but holds {row['name']}")
        return
    versions = backend.buckets[row["bucket"]].keys
    if row["content"] is None:
        below = versions.get(row["name"]) or FakeKey(row["name"], b"", backend.account_id, backend.region_name)
        versions[row["name"]] = restore_marker(row["record"], below)
        return
    key = restore_key(row["name"], row["record"], StoredContent(store, row["content"]), row["bucket"], backend)
    versions[row["name"]] = key
    tags = json.loads(row["record"])["tags"]
    backend.tagger.delete_all_tags_for_resource(key.arn)
    if tags:
        backend.tagger.tag_resource(key.arn, [{"Key": name, "Value": value} for name, value in tags.items()])


def _load_upload(store: ObjectStore, row: sqlite3.Row) -> None:
    backend = _backend_of(row["bucket"])
    if backend is None:
        return
    upload = restore_upload(row["id"], row["record"], backend)
    for part in store.rows("SELECT * FROM part WHERE upload = ? ORDER BY number", row["id"]):
        content = StoredContent(store, part["content"])
        upload.parts[part["number"]] = restore_key(part["number"], part["record"], content, row["bucket"], backend)
        upload.partlist.append(part["number"])
    backend.buckets[row["bucket"]].multiparts[upload.id] = upload


def _backend_of(bucket: str) -> S3Backend | None:
    """Return the backend that holds a bucket, None if the bucket does not exist."""
    place = s3_backends.bucket_accounts.get(bucket)
    return None if place is None else s3_backends[place[1]][place[0]]
