"""Copies of collections and buckets in the local cloud that are made for a test and deleted after it."""

import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from eduguard.aws.clients import open_client
from eduguard.aws.local_cloud import LocalCloud
from eduguard.errors import EduguardError

_TIMEOUT = 60.0  # seconds


class Copies:
    """Makes and deletes copies in one local cloud."""

    def __init__(self, cloud: LocalCloud, *, region: str, bucket_region: str) -> None:
        self._cloud = cloud
        self._regions = {"rekognition": region, "s3": bucket_region}
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the boto3 client for `rekognition` or `s3`; it is opened at the first call."""
        if service not in self._clients:
            region, cloud = self._regions[service], self._cloud
            self._clients[service] = open_client(
                service, region=region, endpoint=cloud.endpoint, credentials=cloud.credentials
            )
        return self._clients[service]

    def list_collections(self) -> set[str]:
        """Return the names of all collections; read-only."""
        pages = self.client("rekognition").get_paginator("list_collections").paginate()
        return {name for page in pages for name in page["CollectionIds"]}

    def list_buckets(self) -> set[str]:
        """Return the names of all buckets; read-only."""
        return {bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]}

    def copy_collection(self, source: str, target: str) -> None:
        """Make a collection with the faces and users of another, in one transaction; FaceIds stay the same.

        Raises:
            EduguardError: when the local cloud refuses.
        """
        self._post("clone", {"source": source, "target": target, "region": self._regions["rekognition"]})

    def copy_bucket(self, source: str, target: str) -> None:
        """Make a bucket with the objects of another, including metadata, in one transaction.

        Raises:
            EduguardError: when the local cloud refuses.
        """
        self.client("s3").create_bucket(Bucket=target)
        self._post("copy-objects", {"source": source, "target": target})

    def delete_collections(self, names: Iterable[str]) -> None:
        """Delete collections with their faces; a missing collection is not an error."""
        client = self.client("rekognition")
        for name in names:
            try:
                client.delete_collection(CollectionId=name)
            except client.exceptions.ResourceNotFoundException:
                continue

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with every version of its objects; a missing bucket is not an error."""
        client = self.client("s3")
        try:
            for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
                versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                named = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
                if named:
                    client.delete_objects(Bucket=name, Delete={"Objects": named, "Quiet": True})
            client.delete_bucket(Bucket=name)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise

    def _post(self, page: str, fields: Mapping[str, str]) -> None:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        cloud, path, body = self._cloud, f"/localcloud/{page}", json.dumps(fields).encode()
        request = AWSRequest("POST", f"{cloud.endpoint}{path}", data=body)
        key = Credentials(cloud.access_key_id, cloud.secret_access_key)
        SigV4Auth(key, "localcloud", self._regions["rekognition"]).add_auth(request)
        connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc, timeout=_TIMEOUT)
        try:
            connection.request("POST", path, body, dict(request.headers.items()))
            answer = connection.getresponse()
            said = answer.read().decode()
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise EduguardError(f"{fields['source']} was not copied to {fields['target']}: {said}")
