"""Rekognition's users: one for each student, with all faces under the student's external image ids."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from eduguard.aws import Collection, Face
from eduguard.errors import EduguardError
from eduguard.identifiers import PLACEHOLDER, split_external_image_id
from eduguard.plurals import amount

_NOT_FOUND = "FACE_NOT_FOUND"  # also returned for a face that was indexed some hundred milliseconds ago
_LONGEST_USER = 128  # characters (Rekognition API reference, CreateUser)
_PAUSES = (0.5, 1.0, 2.0)  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPlan:
    """The faces that each student's user lacks, by student; both sorted. Users in `mixed` get no faces."""

    missing: tuple[tuple[str, tuple[str, ...]], ...]
    unchanged: int
    mixed: tuple[Face, ...] = ()
    """faces that belong to a user but carry another student's id"""

    def counts(self) -> dict[str, int]:
        """Return how many users lack faces, how many faces they lack, and how many users are complete."""
        faces = sum(len(face_ids) for _, face_ids in self.missing)
        return {"users": len(self.missing), "faces": faces, "unchanged": self.unchanged, "mixed": len(self.mixed)}

    def summary(self, *, refused: int = 0) -> str:
        """Return the counts as one line."""
        faces = sum(len(face_ids) for _, face_ids in self.missing)
        given = f"{amount(faces - refused, 'face')} given to {amount(len(self.missing), 'user')}"
        return f"{given}, {self.unchanged} unchanged"


def find_mixed(faces: Iterable[Face]) -> list[Face]:
    """Return the sorted faces that belong to a user but carry another student's id; a pure function."""
    mixed = []
    for face in faces:
        if face.user_id is not None:
            parts = split_external_image_id(face.external_image_id or "")
            if parts is None or parts[0] != face.user_id:
                mixed.append(face)
    return sorted(mixed, key=lambda face: (face.user_id, face.external_image_id or "", face.face_id))


def plan_users(rows: Iterable[tuple[str, str]], faces: Iterable[Face]) -> UserPlan:
    """Compare the faces of rows with the users they belong to; a pure function.

    Args:
        rows: external image id and FaceId of each row.
        faces: as they were listed.
    """
    listed = list(faces)
    users, mixed = {face.face_id: face.user_id for face in listed}, find_mixed(listed)
    closed = {face.user_id for face in mixed}  # Rekognition would compare them with another student's photos
    missing: dict[str, list[str]] = {}
    unchanged = 0
    for external, face_id in rows:
        parts = split_external_image_id(external)
        if parts is None or face_id == PLACEHOLDER:
            continue
        user = users.get(face_id)  # a face that was just indexed may not be listed yet
        if user == parts[0]:
            unchanged += 1
        elif user is None and parts[0] not in closed:
            missing.setdefault(parts[0], []).append(face_id)
    return UserPlan(
        missing=tuple((student, tuple(sorted(found))) for student, found in sorted(missing.items())),
        unchanged=unchanged,
        mixed=tuple(mixed),
    )


def apply_users(collection: Collection, plan: UserPlan) -> str:
    """Create missing users and assign them their faces; return the counts as one line.

    Raises:
        EduguardError: naming each face that Rekognition refused to assign to its user, or that belongs to the user of
            another student.
    """
    refused: dict[str, str] = {}
    for student, face_ids in plan.missing:
        if len(student) > _LONGEST_USER:
            refused |= dict.fromkeys(face_ids, f"a user's id has at most {_LONGEST_USER} characters: {student}")
            continue
        collection.create_user(student)
        refused |= _associate(collection, student, list(face_ids))
    if refused:
        named = ", ".join(f"{face} ({reason})" for face, reason in refused.items())
        raise EduguardError(
            f"{plan.summary(refused=len(refused))}; {len(refused)} refused: {named}",
            hint="LOW_MATCH_CONFIDENCE: the photo is too unlike the student's others; look whether it is theirs. "
            "FACE_NOT_FOUND: run `inv sync-faces`.",
        )
    if plan.mixed:
        raise _mixed(collection, plan)
    return plan.summary()


def _mixed(collection: Collection, plan: UserPlan) -> EduguardError:
    face = plan.mixed[0]
    return EduguardError(
        f"{plan.summary()}; {amount(len(plan.mixed), 'face')} of the user of another student: {name_mixed(plan.mixed)}",
        hint="These users are not believed. Take each face away, then run `inv sync-faces --users`: "
        f"aws rekognition disassociate-faces --collection-id {collection.name} --user-id {face.user_id} "
        f"--face-ids {face.face_id}",
    )


def name_mixed(faces: Iterable[Face]) -> str:
    """Name each face that belongs to the user of another student, as one line; a pure function."""
    return "; ".join(
        f"user {face.user_id} has {face.external_image_id or 'a face without an id'} ({face.face_id})" for face in faces
    )


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
