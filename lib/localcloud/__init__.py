"""A local stand-in for AWS: S3 buckets and Rekognition face collections, kept on disk."""
