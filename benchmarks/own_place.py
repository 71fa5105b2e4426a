"""Where a benchmark runs the tasks: on servers of its own, whatever database the caller's settings name."""

import os
from pathlib import Path

_OTHERS = ("INVOKE_", "PG", "AWS_")  # how the names of variables begin that could lead elsewhere
_LOCAL = {
    "INVOKE_TARGET": "local",
    "INVOKE_TARGETS_LOCAL_DATABASE_URL": "embedded",
    "INVOKE_TARGETS_LOCAL_REKOGNITION_ENDPOINT": "local",
    "INVOKE_TARGETS_LOCAL_S3_ENDPOINT": "local",
}


def environment(state: Path, **more: str) -> dict[str, str]:
    """Return the environment of a task that works in a state folder of its own."""
    kept = {
        name: value for name, value in os.environ.items() if name != "DATABASE_URL" and not name.startswith(_OTHERS)
    }
    return kept | _LOCAL | {"INVOKE_STATE_FOLDER": str(state)} | more
