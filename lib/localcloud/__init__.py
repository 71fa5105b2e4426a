"""A local stand-in for AWS: S3 buckets and Rekognition face collections, kept on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from localcloud.testing import RunningCloud, running

__all__ = ["VERSION", "RunningCloud", "running"]

VERSION: Final = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the names for test suites only when they are used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from localcloud import testing

    return getattr(testing, name)
