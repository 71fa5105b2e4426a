"""The bucket of student photos, in S3 or R2: every S3 call of the workflow is here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_DEFAULT_REGION = "us-east-1"  # CreateBucket takes no LocationConstraint for it (S3 API reference)


class Bucket:
    """One bucket."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def ensure_exists(self) -> None:
        """Create the bucket unless it is there."""
        with self._translated("create"):
            if self.name in {bucket.get("Name") for bucket in self._client.list_buckets()["Buckets"]}:
                return
            region = self._client.meta.region_name
            elsewhere: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}}
            self._client.create_bucket(Bucket=self.name, **({} if region == _DEFAULT_REGION else elsewhere))

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the size in bytes of every object whose key begins with prefix; read-only."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        with self._translated("list"):
            return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def upload(self, key: str, file: Path) -> None:
        """Put a JPEG file under a key."""
        with self._translated(f"upload {key} to"):
            self._client.put_object(Bucket=self.name, Key=key, Body=file.read_bytes(), ContentType="image/jpeg")

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
                hint="`inv enrol` puts the sample photos there; invoke.yaml names bucket and endpoint.",
            ) from error
        except BotoCoreError as error:
            raise EduguardError(
                f"Could not {action} bucket {self.name} at {self._client.meta.endpoint_url}: {error}",
                hint="Credentials come from AWS's own chain: `aws configure`, AWS_PROFILE or AWS_ACCESS_KEY_ID.",
            ) from error


def open_bucket(name: str, *, region: str, endpoint: str | None, credentials: dict[str, str] | None) -> Bucket:
    """Return a bucket of AWS, or of the endpoint given (R2); nothing is sent yet."""
    import boto3
    from botocore.config import Config

    # R2 refuses the checksum trailers that boto3 sends by default since 1.36.
    checksums: Literal["when_required", "when_supported"] = "when_required" if endpoint else "when_supported"
    config = Config(
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=16,
        user_agent_extra="eduguard-db",
    )
    arguments: dict[str, Any] = {
        "region_name": region,
        "endpoint_url": endpoint,
        "config": config,
        **(credentials or {}),
    }
    return Bucket(boto3.client("s3", **arguments), name)
