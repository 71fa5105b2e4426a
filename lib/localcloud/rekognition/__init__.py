"""Rekognition face collections as a moto service."""
