"""Rekognition and S3, or their local stand-ins: every call is made here.

boto3 is imported when the first client is opened.
"""

from eduguard.aws.bucket import JPEG, Bucket, Content, StoredObject, open_bucket
from eduguard.aws.clients import MOST_AT_ONCE, identify, serves
from eduguard.aws.listing import begin_listing, read_faces, read_listing
from eduguard.aws.pace import Pace
from eduguard.aws.rekognition import MOST_MATCHES, PAGE_SIZE, Collection, open_collection
from eduguard.aws.types import (
    LARGEST_IMAGE,
    AnswerLostError,
    Box,
    CollectionState,
    Face,
    FaceRefusedError,
    Identity,
    IndexedFace,
    ListingLostError,
    Match,
    S3Object,
)

__all__ = [
    "JPEG",
    "LARGEST_IMAGE",
    "MOST_AT_ONCE",
    "MOST_MATCHES",
    "PAGE_SIZE",
    "AnswerLostError",
    "Box",
    "Bucket",
    "Collection",
    "CollectionState",
    "Content",
    "Face",
    "FaceRefusedError",
    "Identity",
    "IndexedFace",
    "ListingLostError",
    "Match",
    "Pace",
    "S3Object",
    "StoredObject",
    "begin_listing",
    "identify",
    "open_bucket",
    "open_collection",
    "read_faces",
    "read_listing",
    "serves",
]
