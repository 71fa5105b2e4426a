"""What the person who starts the local cloud can mend."""


class LocalCloudError(Exception):
    """A failure that its message explains; shown without a traceback."""
