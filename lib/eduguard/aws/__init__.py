"""Rekognition and S3, or what stands in for them: every call is made here."""
