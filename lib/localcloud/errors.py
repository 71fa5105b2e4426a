"""Failures that the person who starts the local cloud can fix."""


class LocalCloudError(Exception):
    """A failure with a message that explains it; shown without a traceback."""
