"""The Rekognition client: every Rekognition call of the workflow is here."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING

from eduguard.aws.answers import read_box, read_indexed, read_match, read_number, read_page, read_state, read_text
from eduguard.aws.clients import open_client
from eduguard.aws.failures import absent, describe, refusing, translated
from eduguard.aws.pace import Pace
from eduguard.aws.types import (
    Box,
    CollectionState,
    Face,
    FaceRefusedError,
    IndexedFace,
    ListingLostError,
    Match,
    S3Object,
    as_image,
)
from eduguard.errors import EduguardError
from eduguard.identifiers import SCHOOL_TAG
from eduguard.plurals import amount

if TYPE_CHECKING:
    from types_boto3_rekognition import RekognitionClient

PAGE_SIZE = 4096  # the largest MaxResults of ListFaces (API reference)
_MOST_LISTED = 100_000_000  # faces; a collection holds 20 million (Rekognition quotas)
_MOST_EMPTY = 100  # consecutive pages without a face
_NO_FACE = "no faces in the image"  # AWS's message for a picture without a face
_MOST_FACES_OF_USER = 100  # per request and per user (AssociateFaces)
MOST_MATCHES = 4096  # in the result of a search (Rekognition quotas); AWS documents no default of MaxFaces


class Collection:
    """One face collection of one region."""

    def __init__(self, client: "RekognitionClient", name: str) -> None:
        self._client = client
        self.name = name

    def named(self, name: str) -> "Collection":
        """Return another collection of the same region with the same client."""
        return Collection(self._client, name)

    def describe(self) -> CollectionState | None:
        """Return the collection's state, or None if it does not exist; read-only."""
        with self._translated("describe"):
            try:
                answer = self._client.describe_collection(CollectionId=self.name)
            except self._client.exceptions.ResourceNotFoundException:
                return None
        return read_state(answer, self._where())

    def require(self) -> CollectionState:
        """Return the collection's state; read-only.

        Raises:
            EduguardError: when it does not exist.
        """
        state = self.describe()
        if state is None:
            raise absent(self._client, self.name)
        return state

    def create(self, school: str | None = None) -> bool:
        """Create the collection, tagged with a school, unless it exists already; return False if it was not tagged.

        Tagging also needs the right to TagResource (CreateCollection API reference); without it no tag is set.
        """
        tags = {"Tags": {SCHOOL_TAG: school}} if school else {}
        with self._translated("create"), suppress(self._client.exceptions.ResourceAlreadyExistsException):
            try:
                self._client.create_collection(CollectionId=self.name, **tags)
            except self._client.exceptions.AccessDeniedException:
                if not tags:
                    raise
                self._client.create_collection(CollectionId=self.name)
                return False
        return True

    def read_school(self, arn: str) -> str | None:
        """Return the school that the collection is tagged with, None if the role may not read tags; read-only."""
        with self._translated("list the tags of"):
            try:
                answer = self._client.list_tags_for_resource(ResourceArn=arn)
            except self._client.exceptions.AccessDeniedException:
                return None
            return read_text(answer["Tags"].get(SCHOOL_TAG, ""))

    def tag_school(self, arn: str, school: str) -> bool:
        """Tag the collection with a school; return False if the role may not."""
        with self._translated("tag"):
            try:
                self._client.tag_resource(ResourceArn=arn, Tags={SCHOOL_TAG: school})
            except self._client.exceptions.AccessDeniedException:
                return False
        return True

    def list_faces(self) -> Iterator[list[Face]]:
        """Yield every face, page by page, to the last page; read-only.

        Raises:
            ListingLostError: when AWS no longer accepts the token of the next page, or an answer was cut off.
            EduguardError: when the answer cannot be Rekognition's.
        """
        where, seen = self._where(), set[str]()
        following: dict[str, str] = {}
        listed = empty = 0
        with self._translated("list the faces of"):
            while True:
                page = self._client.list_faces(CollectionId=self.name, MaxResults=PAGE_SIZE, **following)
                if "Faces" not in page:  # botocore reads truncated JSON as an empty object
                    raise ListingLostError(f"the listing of {where} broke off", hint="Run this again.")
                faces = read_page(page, where)
                yield faces
                token = page.get("NextToken")
                if not token:
                    return
                listed, empty = listed + len(faces), 0 if faces else empty + 1
                if token in seen or listed > _MOST_LISTED or empty > _MOST_EMPTY:
                    raise EduguardError(f"The listing of {where} does not end", hint="Run this again.")
                seen.add(token)
                following = {"NextToken": token}

    def find_faces(self, face_ids: list[str]) -> list[Face]:
        """Return the faces among at most 4,096 that still exist; read-only."""
        where = self._where()
        pages = self._client.get_paginator("list_faces").paginate(CollectionId=self.name, FaceIds=face_ids)
        with self._translated("list faces of"):
            return [face for page in pages for face in read_page(page, where)]

    def index_face(self, picture: bytes | S3Object, external_image_id: str) -> IndexedFace:
        """Index the one face of a picture under an external image id.

        Raises:
            FaceRefusedError: when the picture has no face, several, or one that Rekognition would not index, or when
                Rekognition does not accept the picture; nothing of it stays in the collection.
        """
        with self._translated(f"index {external_image_id} in"), refusing(self._client, external_image_id):
            answer = self._client.index_faces(
                CollectionId=self.name, Image=as_image(picture), ExternalImageId=external_image_id
            )
            indexed = [read_indexed(record) for record in answer["FaceRecords"]]
            reasons = sorted({read_text(reason) for face in answer["UnindexedFaces"] for reason in face["Reasons"]})
        if len(indexed) == 1 and not reasons:
            return indexed[0]
        if indexed:
            self.delete_faces([face.face_id for face in indexed])
        found = len(indexed) + len(answer["UnindexedFaces"])
        raise FaceRefusedError(
            f"{external_image_id}: {amount(found, 'face')} found, one expected"
            + (f" ({', '.join(reasons)})" if reasons else ""),
            hint="Use a sharp, well lit picture of one person, facing the camera.",
        )

    def delete_faces(self, face_ids: list[str]) -> None:
        """Delete faces by FaceId, in batches as large as the API allows; missing faces are ignored.

        Raises:
            EduguardError: naming each face that Rekognition did not delete.
        """
        kept: list[str] = []
        with self._translated("delete faces of"):
            for start in range(0, len(face_ids), PAGE_SIZE):
                answer = self._client.delete_faces(CollectionId=self.name, FaceIds=face_ids[start : start + PAGE_SIZE])
                for face_id in answer["DeletedFaces"]:  # without it in the answer, a deletion is not proven
                    read_text(face_id)
                kept += [
                    f"{read_text(face['FaceId'])} ({', '.join(map(read_text, face['Reasons']))})"
                    for face in answer.get("UnsuccessfulFaceDeletions", [])
                    if face.get("Reasons") != ["FACE_NOT_FOUND"]
                ]
        if kept:
            raise EduguardError(
                f"{amount(len(kept), 'face stays', 'faces stay')} in collection {self.name}: {', '.join(kept)}"
            )

    def detect_faces(self, picture: bytes) -> list[Box]:
        """Return the boxes of the faces in a picture; read-only."""
        with self._translated("detect faces beside"):
            answer = self._client.detect_faces(Image=as_image(picture))
            return [read_box(face["BoundingBox"]) for face in answer["FaceDetails"]]

    def search_by_image(self, picture: bytes, *, threshold: float) -> list[Match]:
        """Return the faces that resemble the largest face of a picture, the most similar first; read-only.

        For a picture without a face, return an empty list.
        """
        with self._translated("search"):
            try:
                answer = self._client.search_faces_by_image(
                    CollectionId=self.name, Image=as_image(picture), FaceMatchThreshold=threshold
                )
            except self._client.exceptions.InvalidParameterException as error:
                if _NO_FACE in str(error):
                    return []
                raise
            return [read_match(match) for match in answer["FaceMatches"]]

    def search_by_face(self, face_id: str, *, threshold: float, most: int | None = None) -> list[Match]:
        """Return the faces that resemble a face of the collection, the most similar first; read-only.

        Args:
            face_id: of the face, which is not in the result.
            threshold: the lowest similarity, from 0 to 100.
            most: the maximal number of results, up to MOST_MATCHES; None: AWS's default.
        """
        limit = {} if most is None else {"MaxFaces": most}
        with self._translated(f"search for {face_id} in"):
            answer = self._client.search_faces(
                CollectionId=self.name, FaceId=face_id, FaceMatchThreshold=threshold, **limit
            )
            return [read_match(match) for match in answer["FaceMatches"]]

    def list_users(self) -> set[str]:
        """Return the ids of the collection's users; read-only."""
        pages = self._client.get_paginator("list_users").paginate(CollectionId=self.name)
        with self._translated("list the users of"):
            return {read_text(user["UserId"]) for page in pages for user in page["Users"]}

    def create_user(self, user: str) -> None:
        """Create a user unless it exists."""
        with self._translated(f"create user {user} in"), suppress(self._client.exceptions.ConflictException):
            self._client.create_user(CollectionId=self.name, UserId=user)

    def delete_user(self, user: str) -> None:
        """Delete a user; its faces stay in the collection without a user."""
        with self._translated(f"delete user {user} of"):
            self._client.delete_user(CollectionId=self.name, UserId=user)

    def associate_faces(self, user: str, face_ids: list[str]) -> dict[str, str]:
        """Assign faces to a user; return the FaceId of each face that Rekognition refused, and why."""
        refused: dict[str, str] = {}
        with self._translated(f"associate faces with user {user} of"):
            for start in range(0, len(face_ids), _MOST_FACES_OF_USER):
                answer = self._client.associate_faces(
                    CollectionId=self.name, UserId=user, FaceIds=face_ids[start : start + _MOST_FACES_OF_USER]
                )
                for face in answer.get("UnsuccessfulFaceAssociations", []):
                    refused[read_text(face["FaceId"])] = ", ".join(map(read_text, face["Reasons"]))
        return refused

    def search_users_by_image(self, picture: bytes, *, threshold: float) -> list[tuple[str, float]]:
        """Return the users who resemble the largest face of a picture, with their similarity; read-only."""
        with self._translated("search the users of"):
            answer = self._client.search_users_by_image(
                CollectionId=self.name, Image=as_image(picture), UserMatchThreshold=threshold
            )
            return [
                (read_text(match["User"]["UserId"]), read_number(match["Similarity"]))
                for match in answer["UserMatches"]
            ]

    def _translated(self, action: str) -> AbstractContextManager[None]:
        return translated(self._client, self.name, action)

    def _where(self) -> str:
        return describe(self._client, self.name)


def open_collection(
    name: str,
    *,
    region: str,
    endpoint: str | None,
    credentials: dict[str, str] | None,
    profile: str | None = None,
    pace: Pace | None = None,
    read_timeout: float = 30,
) -> Collection:
    """Return a collection of AWS, or of the given endpoint; nothing is sent yet.

    Args:
        name: the CollectionId.
        region: the collection's region.
        endpoint: a URL that replaces AWS's own.
        credentials: for an endpoint of ours; None: AWS's own chain.
        profile: a profile in AWS's files that replaces the chain.
        pace: shared by everything that sends requests to one region.
        read_timeout: seconds without data after which a request is sent again.
    """
    client = open_client(
        "rekognition",
        region=region,
        endpoint=endpoint,
        credentials=credentials,
        profile=profile,
        pace=pace,
        retries={"mode": "adaptive", "total_max_attempts": 8},
        read_timeout=read_timeout,
    )
    return Collection(client, name)
