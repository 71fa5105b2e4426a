"""moto's keys and uploads as JSON records, and back."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from typing import TYPE_CHECKING, Any, Final

from moto.s3.models import FakeAcl, FakeDeleteMarker, FakeGrant, FakeGrantee, FakeKey, FakeMultipart
from requests.structures import CaseInsensitiveDict

from localcloud.s3.store import StoredContent

if TYPE_CHECKING:
    from moto.s3.models import S3Backend

# The attributes of a key that are plain JSON values; the others are written one by one below.
_PLAIN: Final = (
    "website_redirect_location",
    "checksum_algorithm",
    "checksum_value",
    "checksum_type",
    "checksum_parts",
    "encryption",
    "kms_key_id",
    "bucket_key_enabled",
    "lock_mode",
    "lock_legal_status",
    "lock_until",
    "contentsize",
    "_storage_class",
    "_version_id",
    "_is_versioned",
)


def key_record(key: FakeKey | FakeDeleteMarker, tags: dict[str, str]) -> str:
    """Describe a version of an object, without its content."""
    moment = {"last_modified": key.last_modified.isoformat()}
    if isinstance(key, FakeDeleteMarker):
        return json.dumps(moment | {"marker": key.version_id})
    expiry = key._expiry and key._expiry.isoformat()  # noqa: SLF001 -- moto offers no other access
    special = {"etag": key.etag.strip('"'), "metadata": dict(key.metadata), "acl": _acl_record(key.acl)}
    plain = {name: getattr(key, name) for name in _PLAIN}
    return json.dumps(
        moment | special | plain | {"expiry": expiry, "tags": tags, "parts": _parts_record(key.multipart)}
    )


def restore_key(name: Any, record: str, content: StoredContent, bucket: str, backend: S3Backend) -> FakeKey:
    """Make the key from a record; the caller sets its tags."""
    fields = json.loads(record)
    key = FakeKey(name, b"", backend.account_id, backend.region_name, etag=fields["etag"], bucket_name=bucket)
    for plain in _PLAIN:
        setattr(key, plain, fields[plain])
    key.last_modified = dt.datetime.fromisoformat(fields["last_modified"])
    key.set_expiry(fields["expiry"] and dt.datetime.fromisoformat(fields["expiry"]))
    key.set_metadata(dict(fields["metadata"]), replace=True)
    key.set_acl(_restore_acl(fields["acl"]))
    key.multipart = _restore_parts(fields.get("parts"), backend)
    use_content(key, content)
    return key


def restore_marker(record: str, key: FakeKey) -> FakeDeleteMarker:
    """Make the delete marker from a record, over an older version."""
    fields = json.loads(record)
    marker = FakeDeleteMarker(key)
    marker.last_modified = dt.datetime.fromisoformat(fields["last_modified"])
    marker._version_id = fields["marker"]  # noqa: SLF001 -- moto would choose it at random
    return marker


def upload_record(upload: FakeMultipart) -> str:
    """Describe an unfinished upload, without its parts."""
    return json.dumps(
        {
            "key_name": upload.key_name,
            "metadata": dict(upload.metadata),
            "storage": upload.storage,
            "tags": upload.tags,
            "acl": _acl_record(upload.acl),
            "sse_encryption": upload.sse_encryption,
            "kms_key_id": upload.kms_key_id,
        }
    )


def restore_upload(upload_id: str, record: str, backend: S3Backend) -> FakeMultipart:
    """Make the unfinished upload from a record, without parts."""
    fields = json.loads(record)
    fields |= {"metadata": CaseInsensitiveDict(fields["metadata"]), "acl": _restore_acl(fields["acl"])}
    upload = FakeMultipart(account_id=backend.account_id, region_name=backend.region_name, **fields)
    upload.id = upload_id
    return upload


def stored_content(key: FakeKey) -> StoredContent | None:
    """Return the stored content of a key, None if it is not stored yet."""
    buffer = key._value_buffer  # noqa: SLF001 -- the only place moto keeps it
    return buffer if isinstance(buffer, StoredContent) else None


def use_content(key: FakeKey, content: StoredContent) -> None:
    """Let a key read its content from the store, and free its own buffer."""
    key._value_buffer.close()  # noqa: SLF001
    key._value_buffer = content  # type: ignore[assignment]  # noqa: SLF001


def forget_parts(key: FakeKey) -> None:
    """Free the contents of an object's parts; their sizes and digests are kept."""
    for part in key.multipart.parts.values() if key.multipart else ():
        part._value_buffer.close()  # noqa: SLF001
        part._value_buffer = tempfile.SpooledTemporaryFile()  # noqa: SLF001, SIM115 -- moto closes it


def _parts_record(upload: FakeMultipart | None) -> dict[str, Any] | None:
    """Describe the parts that an object was made from; their contents are in the object."""
    if upload is None:
        return None
    parts = [[number, part.contentsize, part.etag.strip('"')] for number, part in upload.parts.items()]
    return {"upload": upload.id, "key_name": upload.key_name, "parts": parts}


def _restore_parts(record: dict[str, Any] | None, backend: S3Backend) -> FakeMultipart | None:
    if record is None:
        return None
    account, region = backend.account_id, backend.region_name
    upload = FakeMultipart(record["key_name"], CaseInsensitiveDict(), account_id=account, region_name=region)
    upload.id = record["upload"]
    for number, size, etag in record["parts"]:
        upload.parts[number] = FakeKey(number, b"", account, region, etag=etag)
        upload.parts[number].contentsize = size
        upload.partlist.append(number)
    return upload


def _acl_record(acl: FakeAcl | None) -> list[Any] | None:
    if acl is None:
        return None
    return [
        {"grantees": [[who.id, who.uri, who.display_name] for who in grant.grantees], "permissions": grant.permissions}
        for grant in acl.grants
    ]


def _restore_acl(record: list[Any] | None) -> FakeAcl | None:
    if record is None:
        return None
    return FakeAcl(
        [FakeGrant([FakeGrantee(*who) for who in grant["grantees"]], grant["permissions"]) for grant in record]
    )
