"""Requests per second that AWS allows an account in a region (AWS General Reference, Rekognition quotas)."""

from __future__ import annotations

from typing import Final

_LARGE_REGIONS: Final = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
_IN_LARGE_REGIONS: Final = {
    "IndexFaces": 50,
    "ListFaces": 50,
    "SearchFaces": 50,
    "SearchFacesByImage": 50,
    "SearchUsers": 50,
    "SearchUsersByImage": 50,
    "DetectFaces": 100,
    "CompareFaces": 100,
}
_ELSEWHERE: Final = {"DetectFaces": 25, "CompareFaces": 25}
_EVERYWHERE: Final = {"TagResource": 10, "UntagResource": 10, "ListTagsForResource": 10}
_OTHERWISE: Final = 5


def requests_per_second(operation: str, region: str) -> int:
    """Return the default quota of an operation in a region."""
    named = _IN_LARGE_REGIONS if region in _LARGE_REGIONS else _ELSEWHERE
    return (_EVERYWHERE | named).get(operation, _OTHERWISE)
