"""A local stand-in for AWS: S3 buckets and Rekognition face collections, kept on disk."""

from typing import Final

VERSION: Final = "0.1.0"
