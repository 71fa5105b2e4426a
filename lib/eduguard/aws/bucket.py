"""The bucket of student photos, in S3 or R2: every S3 call of the workflow is here."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eduguard.aws.clients import PROVIDE, open_client
from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_DEFAULT_REGION = "us-east-1"  # CreateBucket accepts no LocationConstraint for it (S3 API reference)
JPEG = "image/jpeg"
_SHA256 = "sha256"  # the metadata key of an object's own hash
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_PUBLIC = ("/global/AllUsers", "/global/AuthenticatedUsers")
_NOTHING_SET = {"NoSuchBucketPolicy", "NoSuchPublicAccessBlockConfiguration"}
_NOT_OFFERED = {"NotImplemented", "MethodNotAllowed", "501", "405"}
_REFUSED_KEYS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthorized")  # the last one is R2's
_OTHER_KEYS = (
    "`inv doctor --iam` prints the rights that each job needs. R2 has keys of its own: `bucket_profile` of the target "
    "names the profile of ~/.aws that has them."
)
_MAKE = "`inv enrol` puts the sample photos there; invoke.yaml names bucket and endpoint."
# S3's rules for names: "General purpose bucket naming rules" of its documentation.
_NAME = "`bucket` of the target in invoke.yaml takes 3 to 63 lower-case letters, digits, hyphens and dots."
_HINTS = dict.fromkeys(_REFUSED_KEYS, _OTHER_KEYS) | {"InvalidBucketName": _NAME}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object as the bucket lists it; for most objects the etag is the MD5."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An object's bytes and type, and the SHA-256 that was recorded when it was put, if any."""

    content: bytes
    content_type: str
    sha256: str | None

    @property
    def is_damaged(self) -> bool:
        """Say whether the bytes differ from those that were put."""
        return self.sha256 not in (None, hashlib.sha256(self.content).hexdigest())


class Bucket:
    """One bucket."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def exists(self) -> bool:
        """Say whether the bucket exists; read-only.

        This lists its objects, not the account's buckets: the role needs that right anyway, and an R2 key for one
        bucket has it.
        """
        with self._translated("look for"):
            try:
                self._client.list_objects_v2(Bucket=self.name, MaxKeys=1)
            except self._client.exceptions.NoSuchBucket:
                return False
        return True

    def ensure_exists(self) -> None:
        """Create the bucket unless it exists."""
        with self._translated("create"):
            if self.exists():
                return
            region = self._client.meta.region_name
            elsewhere: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            with suppress(self._client.exceptions.BucketAlreadyOwnedByYou):  # another process has just created it
                self._client.create_bucket(Bucket=self.name, **({} if region == _DEFAULT_REGION else elsewhere))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the size in bytes of every object whose key begins with prefix; read-only."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        with self._translated("list"):
            return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def list_objects(self, prefix: str = "") -> dict[str, StoredObject]:
        """Return the listed facts of every object whose key begins with prefix; read-only."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        with self._translated("list"):
            return {
                item["Key"]: StoredObject(size=item["Size"], etag=item.get("ETag", "").strip('"'))
                for page in pages
                for item in page.get("Contents", [])
            }

    def holds(self, key: str, stored: StoredObject, jpeg: bytes) -> bool:
        """Say whether a listed object is exactly this picture; read-only."""
        if len(jpeg) != stored.size:
            return False
        # For most objects the listing's etag is the MD5, which saves a request for each. Otherwise the hash decides.
        if hashlib.md5(jpeg, usedforsecurity=False).hexdigest() == stored.etag:
            return True
        return self.read_sha256(key) == hashlib.sha256(jpeg).hexdigest()

    def put(self, key: str, jpeg: bytes, marks: Mapping[str, str] | None = None) -> str | None:
        """Put a JPEG under a key, with its SHA-256 and the marks as metadata; return the id of the new version.

        Return None for a bucket without versions.
        """
        metadata = {**(marks or {}), _SHA256: hashlib.sha256(jpeg).hexdigest()}
        with self._translated(f"upload {key} to"):
            return self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=jpeg,
                ContentType=JPEG,
                Metadata=metadata,
                CacheControl="private, no-store",
            ).get("VersionId")

    def copy(self, key: str, source: str) -> None:
        """Copy an object of another bucket of the same account under the same key, with its metadata.

        The service copies it (CopyObject): the bytes do not pass through this machine.
        """
        with self._translated(f"copy {key} from bucket {source} into"):
            self._client.copy_object(Bucket=self.name, Key=key, CopySource={"Bucket": source, "Key": key})

    def withdraw(self, key: str, version: str | None) -> None:
        """Undo one put: the earlier object under the key and its versions stay."""
        with self._translated(f"delete {key} of"):
            which: Any = {"VersionId": version} if version else {}
            self._client.delete_object(Bucket=self.name, Key=key, **which)

    def read_metadata(self, key: str) -> dict[str, str]:
        """Return the metadata of an object; read-only."""
        with self._translated(f"read {key} of"):
            return self._client.head_object(Bucket=self.name, Key=key)["Metadata"]

    def read_sha256(self, key: str) -> str:
        """Return the SHA-256 of an object from its metadata, or computed from its bytes; read-only."""
        return self.read_metadata(key).get(_SHA256) or hashlib.sha256(self.download(key)).hexdigest()

    def read(self, key: str) -> Content:
        """Return an object with its type and recorded hash; read-only."""
        with self._translated(f"read {key} of"):
            answer = self._client.get_object(Bucket=self.name, Key=key)
            content = answer["Body"].read()
        return Content(
            content=content, content_type=answer.get("ContentType", ""), sha256=answer["Metadata"].get(_SHA256)
        )

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, including their earlier versions if the bucket keeps versions."""
        for key in keys:
            with self._translated(f"delete {key} of"):
                for version in self._versions(key):
                    self._client.delete_object(Bucket=self.name, Key=key, VersionId=version)
                self._client.delete_object(Bucket=self.name, Key=key)
                for version in self._versions(key):  # includes the delete marker that the line above leaves
                    self._client.delete_object(Bucket=self.name, Key=key, VersionId=version)

    def _versions(self, key: str) -> list[str]:
        from botocore.exceptions import ClientError

        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=key)
        try:
            return [
                item["VersionId"]
                for page in pages
                for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                if item["Key"] == key
            ]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _NOT_OFFERED:  # R2 has no versions
                return []
            raise

    def check_private(self) -> str | None:
        """Return None for a private bucket, or a note if the endpoint has no call to find out; read-only.

        Raises:
            EduguardError: when the public can read the bucket, or when the role may not check that.
        """
        with self._translated("check the privacy of"):
            blocks = self._ask(self._client.get_public_access_block, "PublicAccessBlockConfiguration")
            if blocks and all(blocks.get(name) for name in _BLOCKS):
                return None
            policy = self._ask(self._client.get_bucket_policy_status, "PolicyStatus")
            grants = self._ask(self._client.get_bucket_acl, "Grants")
        public = [grant["Permission"] for grant in grants or [] if grant["Grantee"].get("URI", "").endswith(_PUBLIC)]
        if (policy or {}).get("IsPublic") or public:
            what = f"its ACL grants {', '.join(public)} to everybody" if public else "its policy is public"
            raise EduguardError(
                f"Bucket {self.name} is not private: {what}",
                hint=f"aws s3api put-public-access-block --bucket {self.name} --public-access-block-configuration "
                + ",".join(f"{name}=true" for name in _BLOCKS),
            )
        if policy is None or grants is None:
            return f"bucket {self.name}: its endpoint cannot say whether it is public; its console can (R2: r2.dev)"
        return None

    def _ask(self, call: Callable[..., Any], key: str) -> Any:
        from botocore.exceptions import ClientError

        try:
            return call(Bucket=self.name)[key]
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code")
            if code in _NOTHING_SET:
                return {}
            if code in _NOT_OFFERED:
                return None
            raise

    def download(self, key: str) -> bytes:
        """Return the bytes of an object; read-only."""
        with self._translated(f"download {key} from"):
            return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            answer = error.response.get("Error", {})
            raise EduguardError(
                f"Could not {action} bucket {self.name}: {answer.get('Code')}: {answer.get('Message')}",
                hint=_HINTS.get(answer.get("Code", ""), _MAKE),
                place=self._client.meta.endpoint_url,
            ) from error
        except BotoCoreError as error:
            raise EduguardError(
                f"Could not {action} bucket {self.name} at {self._client.meta.endpoint_url}: {error}",
                hint=PROVIDE,
                code="unreachable",
                place=self._client.meta.endpoint_url,
            ) from error


def open_bucket(
    name: str, *, region: str, endpoint: str | None, credentials: dict[str, str] | None, profile: str | None = None
) -> Bucket:
    """Return a bucket of AWS, or of the given endpoint (R2); nothing is sent yet."""
    # R2 refuses the checksum trailers that boto3 sends by default since 1.36.
    checksums = "when_required" if endpoint else "when_supported"
    client = open_client(
        "s3",
        region=region,
        endpoint=endpoint,
        credentials=credentials,
        profile=profile,
        read_timeout=60,
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
    )
    return Bucket(client, name)
