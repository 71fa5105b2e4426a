"""The least permissions that each command needs in AWS."""

from typing import Any

from eduguard.identifiers import PHOTOS
from eduguard.settings import Settings

Statement = dict[str, Any]


def iam_policies(settings: Settings, account: str) -> dict[str, Any]:
    """Return the least-privilege IAM policy of each command; commands that are not listed need nothing.

    The actions come from the AWS service authorization reference for Rekognition and S3. The bucket must exist: no
    policy allows creating it.
    """
    target = settings.target
    prefix = f"arn:aws:rekognition:{target.region}:{account}:collection/"
    collections = [f"{prefix}{name}" for name in (target.collection, *target.collections.values())]

    def rekognition(*actions: str) -> Statement:
        return _allow("rekognition", actions, collections)

    def objects(*actions: str) -> Statement:
        return _allow("s3", actions, f"arn:aws:s3:::{target.bucket}/{PHOTOS}*")

    def bucket(*actions: str) -> Statement:
        return _allow("s3", actions, f"arn:aws:s3:::{target.bucket}")

    private = bucket("ListBucket", "GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketAcl")
    tags, make = rekognition("ListTagsForResource", "TagResource"), _allow("rekognition", ["CreateCollection"], "*")
    listing = rekognition("DescribeCollection", "ListFaces")
    sync = [listing, rekognition("ListTagsForResource")]
    users = [listing, rekognition("ListUsers", "CreateUser", "AssociateFaces")]
    reads = [objects("GetObject"), bucket("ListBucket")]
    writes = [objects("GetObject", "PutObject"), private]
    verify = [rekognition("SearchFacesByImage"), *reads]
    reindex = [listing, rekognition("IndexFaces", "DeleteFaces"), tags, make, *reads]
    # The new collection may have any name.
    into = [each | {"Resource": f"{prefix}*"} if each["Resource"] == collections else each for each in reindex]
    enrol = [
        *(listing, rekognition("SearchFacesByImage", "IndexFaces", "DeleteFaces"), tags, make, *writes),
        objects("DeleteObject", "DeleteObjectVersion"),
    ]
    detect = _allow("rekognition", ["DetectFaces"], "*")
    statements = {
        "attendance take": [
            rekognition("ListFaces", "SearchFacesByImage", "SearchUsersByImage"),
            detect,
        ],
        "doctor": [listing, bucket("ListBucket")],
        "doctor --look-alikes": [listing, rekognition("SearchFaces"), *reads],
        "enrol": enrol,
        "enrol --users": [*enrol, *users],
        "evaluate": [rekognition("ListFaces", "SearchFaces", "SearchFacesByImage"), detect],
        "full": [*enrol, *sync, *verify],
        "photos check": reads,
        "photos copy": writes,
        "photos copy --from this target": reads,
        "photos draw": writes,
        "photos pull": reads,
        "photos push": writes,
        "port": [*writes, *reindex, *sync, *verify],
        "reindex": reindex,
        "reindex --into": into,
        "report": [listing, rekognition("SearchFaces"), *reads],
        "seed-full": sync,
        "snapshot list": [rekognition("DescribeCollection")],
        "snapshot save": [rekognition("DescribeCollection")],
        "status": [rekognition("DescribeCollection")],
        "sync-faces": sync,
        "sync-faces --prune": [*sync, rekognition("DeleteFaces")],
        "sync-faces --users": [*sync, *users],
        "unenrol": [
            *(listing, rekognition("DeleteFaces", "ListUsers", "DeleteUser")),
            objects("DeleteObject", "DeleteObjectVersion"),
            bucket("ListBucket", "ListBucketVersions"),
        ],
        "verify": verify,
    }
    return {command: _policy(each) for command, each in statements.items()}


def _allow(service: str, actions: Any, resource: str | list[str]) -> Statement:
    return {"Effect": "Allow", "Action": [f"{service}:{action}" for action in actions], "Resource": resource}


def _policy(statements: list[Statement]) -> dict[str, Any]:
    """Return a policy with one statement for each resource."""
    merged: dict[str, Statement] = {}
    for each in statements:
        service = each["Action"][0].partition(":")[0]
        known = merged.setdefault(f"{service} {each['Resource']}", {**each, "Action": []})
        known["Action"] += [action for action in each["Action"] if action not in known["Action"]]
    return {"Version": "2012-10-17", "Statement": list(merged.values())}
