"""What the clients take and return."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from eduguard.errors import EduguardError

if TYPE_CHECKING:
    from types_boto3_rekognition.type_defs import ImageTypeDef

LARGEST_IMAGE = 5 * 1024 * 1024  # bytes in a request (Rekognition quotas); larger ones must come from S3


class Face(NamedTuple):
    """One face of a collection; confidence from 0 to 100 that it is a face."""

    face_id: str
    external_image_id: str | None
    confidence: float
    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """The place of a face in a picture, as ratios of its width and height; it may extend beyond the edges."""

    left: float
    top: float
    width: float
    height: float


class ListingLostError(EduguardError):
    """A listing that cannot continue, because its token expired or an answer was cut off: it must be started again."""


class AnswerLostError(EduguardError):
    """An answer that cannot be read: it is not known whether the request was carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """The result of DescribeCollection."""

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
    """The owner of the credentials, and how many seconds this machine's clock is ahead of AWS's."""

    account: str
    arn: str
    clock_ahead: float

    def collection_arn(self, region: str, collection: str) -> str:
        """Return the ARN of a collection of this account (service authorization reference of Rekognition)."""
        partition = self.arn.split(":")[1]
        return f"arn:{partition}:rekognition:{region}:{self.account}:collection/{collection}"


def as_image(picture: bytes | S3Object) -> "ImageTypeDef":
    """Return a picture as a request parameter.

    Raises:
        EduguardError: when the picture is too large for a request.
    """
    if isinstance(picture, S3Object):
        return {"S3Object": {"Bucket": picture.bucket, "Name": picture.key}}
    if len(picture) > LARGEST_IMAGE:
        raise EduguardError(
            f"The picture has {len(picture):,} bytes; a request takes {LARGEST_IMAGE:,}",
            hint="Make it smaller, or keep it in an S3 bucket of the collection's region.",
        )
    return {"Bytes": picture}
