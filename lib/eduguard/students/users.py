"""Rekognition's users: one for each student, with all the faces that have the student's external image ids."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from eduguard.aws import Collection, Face
from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER, split_external_image_id

_NOT_FOUND = "FACE_NOT_FOUND"  # also said of a face that was indexed some hundred milliseconds ago
_PAUSES = (0.5, 1.0, 2.0)  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPlan:
    """The faces that each student's user lacks, by student; both sorted."""

    missing: tuple[tuple[str, tuple[str, ...]], ...]
    unchanged: int

    def summary(self, *, refused: int = 0) -> str:
        """Return the counts as one line."""
        faces = sum(len(face_ids) for _, face_ids in self.missing)
        return f"{faces - refused} faces given to {len(self.missing)} users, {self.unchanged} unchanged"


def plan_users(rows: Iterable[tuple[str, str]], faces: Iterable[Face]) -> UserPlan:
    """Compare the faces of rows with the users they belong to; a pure function.

    Args:
        rows: external image id and FaceId of each.
        faces: as they were listed.
    """
    users = {face.face_id: face.user_id for face in faces}
    missing: dict[str, list[str]] = {}
    unchanged = 0
    for external, face_id in rows:
        parts = split_external_image_id(external)
        if parts is None or face_id == PLACEHOLDER:
            continue
        user = users.get(face_id)  # a face that was just indexed may not be listed yet
        if user == parts[0]:
            unchanged += 1
        elif user is None:
            missing.setdefault(parts[0], []).append(face_id)
    return UserPlan(
        missing=tuple((student, tuple(sorted(found))) for student, found in sorted(missing.items())),
        unchanged=unchanged,
    )


def apply_users(collection: Collection, plan: UserPlan) -> str:
    """Create the users that are missing and give them their faces; return the counts as one line.

    Raises:
        EduguardError: naming each face that Rekognition would not give to its user.
    """
    refused: dict[str, str] = {}
    for student, face_ids in plan.missing:
        collection.create_user(student)
        refused |= _associate(collection, student, list(face_ids))
    if refused:
        named = ", ".join(f"{face} ({reason})" for face, reason in refused.items())
        raise EduguardError(
            f"{plan.summary(refused=len(refused))}; {len(refused)} refused: {named}",
            hint="LOW_MATCH_CONFIDENCE: the photo is too unlike the student's others; look whether it is theirs. "
            "FACE_NOT_FOUND: run `inv sync-faces`.",
        )
    return plan.summary()


def _associate(collection: Collection, student: str, face_ids: list[str]) -> dict[str, str]:
    refused = collection.associate_faces(student, face_ids)
    for pause in _PAUSES:
        unseen = [face for face, reason in refused.items() if reason == _NOT_FOUND]
        if not unseen:
            break
        time.sleep(pause)
        refused = {face: reason for face, reason in refused.items() if reason != _NOT_FOUND}
        refused |= collection.associate_faces(student, unseen)
    return refused
