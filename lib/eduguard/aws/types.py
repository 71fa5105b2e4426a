"""What the Rekognition client takes and returns, beside faces."""

from dataclasses import dataclass

from eduguard.errors import EduguardError


class ListingLostError(EduguardError):
    """A listing that cannot go on, because its token expired or an answer broke off: it has to be started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """What DescribeCollection says."""

    face_count: int
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A face of the collection that resembles the one in a picture; similarity from 0 to 100."""

    face_id: str
    external_image_id: str | None
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFace:
    """A face that was just indexed; quality is its sharpness from 0 to 100, as Rekognition measures it."""

    face_id: str
    quality: float | None


class FaceRefusedError(EduguardError):
    """A picture that has no face, several, or one that Rekognition would not index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Object:
    """A picture in an AWS bucket of the collection's own region."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose credentials these are, and how many seconds this machine's clock is ahead of AWS's."""

    account: str
    arn: str
    clock_ahead: float
