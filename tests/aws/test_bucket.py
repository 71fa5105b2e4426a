"""Finding and creating a bucket needs the fewest possible rights."""

from typing import Any

from eduguard.aws import open_bucket


def test_a_bucket_is_looked_for_without_the_right_to_list_the_accounts_buckets(cloud_access: dict[str, Any]) -> None:
    bucket, asked = open_bucket("looked-for", **cloud_access), list[str]()
    bucket._client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    assert not bucket.exists()
    bucket.ensure_exists()
    assert bucket.exists()
    assert asked == ["ListObjectsV2", "ListObjectsV2", "CreateBucket", "ListObjectsV2"]
