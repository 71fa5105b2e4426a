"""The result for one row or face in a plan: a line for people, plain values for programs."""

from typing import NamedTuple


class Item(NamedTuple):
    """What becomes of one row or face."""

    kind: str
    """unchanged, link, relink, missing, conflict, orphan, duplicate, temporary or foreign, as `Plan.counts` has them"""
    external_image_id: str | None
    before: str | None
    """the FaceId in the row; None without a row"""
    after: str | None
    """the FaceId that the row will hold, or that of a face without a row"""
    holder: str | None = None
    """for a conflict: the external image id of the row that holds the FaceId"""

    def __str__(self) -> str:
        """Return a line: = unchanged, + link, * relink, - missing or unlink, ! for a person to check."""
        match self.kind:
            case "unchanged":
                return f"= {self.external_image_id}: {self.after}"
            case "link":
                return f"+ {self.external_image_id}: {self.after}"
            case "relink":
                return f"* {self.external_image_id}: {self.before} → {self.after}"
            case "missing":
                is_unlinked = self.before != self.after
                what = "back to the placeholder" if is_unlinked else "no face in the collection"
                return f"- {self.external_image_id}: {what}"
            case "conflict":
                return f"! {self.external_image_id}: its face {self.after} is held by {self.holder}"
        return f"! {self.kind} {self.after}: {self.external_image_id or 'no external image id'}"
