"""What each job may do in AWS: the least it needs, and nothing wider."""

from typing import Any

from eduguard.identifiers import PHOTOS
from eduguard.settings import Settings


def iam_policies(settings: Settings, account: str) -> dict[str, Any]:
    """Return the least that each job needs, as IAM policies (service authorization reference of Rekognition and S3)."""
    target = settings.target
    prefix = f"arn:aws:rekognition:{target.region}:{account}:collection/"
    collections = [f"{prefix}{name}" for name in (target.collection, *target.collections.values())]
    objects = f"arn:aws:s3:::{target.bucket}/{PHOTOS}*"

    def rekognition(*actions: str) -> dict[str, Any]:
        return _statement([f"rekognition:{action}" for action in actions], collections)

    def bucket(*actions: str) -> dict[str, Any]:
        return _statement([f"s3:{action}" for action in actions], f"arn:aws:s3:::{target.bucket}")

    privacy = ("GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketAcl")
    reads = rekognition("DescribeCollection", "ListFaces")
    syncs = ("DescribeCollection", "ListFaces", "ListTagsForResource")
    tags = ("ListTagsForResource", "TagResource")
    return {
        "sync": _policy(rekognition(*syncs)),
        "sync --prune": _policy(rekognition(*syncs, "DeleteFaces")),
        "sync --users": _policy(rekognition(*syncs, "ListUsers", "CreateUser", "AssociateFaces")),
        "enrol": _policy(
            rekognition("DescribeCollection", "ListFaces", "SearchFacesByImage", "IndexFaces", "DeleteFaces", *tags),
            _statement(["rekognition:CreateCollection", "s3:ListAllMyBuckets"], "*"),
            _statement(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], objects),
            bucket("ListBucket", *privacy),
        ),
        "photos draw, photos copy": _policy(
            _statement(["s3:ListAllMyBuckets"], "*"),
            _statement(["s3:GetObject", "s3:PutObject"], objects),
            bucket("ListBucket", *privacy),
        ),
        "photos copy --from this target": _policy(_statement(["s3:GetObject"], objects), bucket("ListBucket")),
        "reindex": _policy(
            rekognition("DescribeCollection", "ListFaces", "IndexFaces", "DeleteFaces", *tags),
            _statement(["rekognition:CreateCollection"], "*"),
            _statement(["s3:GetObject"], objects),
            bucket("ListBucket"),
        ),
        "unenrol": _policy(
            rekognition("DescribeCollection", "ListFaces", "DeleteFaces", "ListUsers", "DeleteUser"),
            _statement(["s3:DeleteObject", "s3:DeleteObjectVersion"], objects),
            bucket("ListBucket", "ListBucketVersions"),
        ),
        "attendance": _policy(
            rekognition("ListFaces", "SearchFacesByImage", "SearchUsersByImage"),
            _statement(["rekognition:DetectFaces"], "*"),
        ),
        "report": _policy(
            rekognition("DescribeCollection", "ListFaces", "SearchFaces"),
            _statement(["s3:GetObject"], objects),
            bucket("ListBucket"),
        ),
        "evaluate": _policy(
            rekognition("ListFaces", "SearchFaces", "SearchFacesByImage"),
            _statement(["rekognition:DetectFaces"], "*"),
        ),
        "doctor": _policy(reads, bucket("ListBucket")),
    }


def _statement(actions: list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
