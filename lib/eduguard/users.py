"""Rekognition's users: one a student, with all the faces that bear the student's external image ids."""

from collections.abc import Iterable
from dataclasses import dataclass

from eduguard.errors import EduguardError
from eduguard.faces import Face, FaceRow, split_external_image_id
from eduguard.rekognition import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPlan:
    """The faces that each student's user lacks, by student; both sorted."""

    missing: tuple[tuple[str, tuple[str, ...]], ...]
    unchanged: int

    def summary(self, *, refused: int = 0) -> str:
        """Return the counts as one line."""
        faces = sum(len(face_ids) for _, face_ids in self.missing)
        return f"{faces - refused} faces given to {len(self.missing)} users, {self.unchanged} unchanged"


def plan_users(rows: Iterable[FaceRow], faces: Iterable[Face]) -> UserPlan:
    """Compare the faces of rows with the users they belong to; a pure function."""
    wanted = {row.face_id: parts[0] for row in rows if (parts := split_external_image_id(row.external_image_id))}
    missing: dict[str, list[str]] = {}
    unchanged = 0
    for face in faces:
        student = wanted.get(face.face_id)
        if student is not None and face.user_id == student:
            unchanged += 1
        elif student is not None and face.user_id is None:
            missing.setdefault(student, []).append(face.face_id)
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
        refused |= collection.associate_faces(student, list(face_ids))
    if refused:
        named = ", ".join(f"{face} ({reason})" for face, reason in refused.items())
        raise EduguardError(
            f"{plan.summary(refused=len(refused))}; {len(refused)} refused: {named}",
            hint="LOW_MATCH_CONFIDENCE: the photo is too unlike the student's others; look whether it is theirs.",
        )
    return plan.summary()
