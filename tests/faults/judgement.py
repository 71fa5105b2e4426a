"""What must hold after a command was interrupted: nothing is lost or linked wrong; pure functions of plain values."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eduguard.identifiers import PLACEHOLDER, external_image_id, split_photo_key

Row = Mapping[str, object]
Rows = Mapping[tuple[str, str], Row]  # by table and id; a FaceId is given as the external image id of its face


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The content of database, collection and bucket.

    Attributes:
        rows: of the live database; None if there is none.
        previous: the rows of the database kept for undo.
        faces: the external image ids by FaceId.
        photos: the hashes by key.
        users: the ids of Rekognition's users.
        unfinished: the databases that only a command at work should have.
    """

    rows: Rows | None
    faces: Mapping[str, str]
    photos: Mapping[str, str]
    users: frozenset[str] = frozenset()
    previous: Rows | None = None
    unfinished: tuple[str, ...] = ()

    def is_like(self, other: "State") -> bool:
        """Say whether rows, faces and photos are the same; a FaceId may differ if it is of the same photo."""
        same = self.rows == other.rows and self.photos == other.photos and self.users == other.users
        return same and _count(self) == _count(other)

    def places(self) -> dict[str, list[str]]:
        """Return the external image ids that are missing somewhere, by the places that have them."""
        rows = {str(row["external_image_id"]) for row in self._face_rows() if "external_image_id" in row}
        photos = {external_image_id(*parts) for key in self.photos if (parts := split_photo_key(key))}
        found: dict[str, list[str]] = {}
        for external in sorted(rows | photos | set(self.faces.values())):
            places = (("row", rows), ("photo", photos), ("face", set(self.faces.values())))
            state = " + ".join(name for name, members in places if external in members)
            found.setdefault(state, []).append(external)
        found.pop("row + photo + face", None)
        return found

    def unlinked(self) -> int:
        """Return how many rows do not hold the FaceId of their face in the collection."""
        externals = set(self.faces.values())
        return sum(
            row.get("external_image_id") in externals and row["face_id"] != row["external_image_id"]
            for row in self._face_rows()
        )

    def _face_rows(self) -> Iterator[Row]:
        return (row for (table, _), row in (self.rows or {}).items() if table == "student_faces")


def _count(state: State) -> Counter[str]:
    return Counter(state.faces.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges the state after a command was interrupted.

    Attributes:
        before: the state before the command.
        after: the state after an undisturbed run; its FaceIds differ.
        is_whole: its rows must be those of before or those of after, nothing in between.
        keeps_previous: the rows of before are kept for undo when it is done.
    """

    before: State
    after: State
    is_whole: bool
    keeps_previous: bool = False

    def judge(self, found: State) -> list[str]:
        """Say what is lost or wrong; nothing if all is well."""
        problems = [*self._judge_rows(found), *self._judge_faces(found), *self._judge_photos(found)]
        return [*problems, *(f"{row} is linked to {face}" for row, face in self._wrong_links(found))]

    def judge_done(self, found: State) -> list[str]:
        """Say what is missing after a command that said it was done."""
        problems = [f"{name} is left" for name in found.unfinished]
        return problems if found.is_like(self.after) else [*problems, *_differences(self.after, found)]

    def _judge_rows(self, found: State) -> Iterator[str]:
        before, after = self.before.rows or {}, self.after.rows or {}
        if found.rows is None:
            yield "there is no live database"
            return
        if self.keeps_previous and self.before.rows not in (found.rows, found.previous):
            yield "the rows of before are neither live nor kept"
        if self.is_whole:
            if found.rows not in (self.before.rows, self.after.rows):
                yield f"rows are half changed: {_name_changes(self.before.rows or {}, found.rows)}"
            return
        yield from (f"row {key} is lost" for key in before.keys() & after.keys() - found.rows.keys())
        yield from (f"row {key} is strange" for key in found.rows.keys() - before.keys() - after.keys())
        for key, row in found.rows.items():
            known = [rows[key] for rows in (before, after) if key in rows]
            for column, value in row.items():
                if known and all(value != each.get(column, value) for each in known):
                    yield f"row {key} holds {value!r} in {column}"

    def _judge_faces(self, found: State) -> Iterator[str]:
        before, after = self.before.faces, self.after.faces
        kept = {face for face, external in before.items() if external in after.values()}
        yield from (f"face {before[face]} is lost" for face in sorted(kept - found.faces.keys()))
        known = set(before.values()) | set(after.values())
        yield from (f"face {each} is strange" for each in sorted(set(found.faces.values()) - known))

    def _judge_photos(self, found: State) -> Iterator[str]:
        before, after = self.before.photos, self.after.photos
        yield from (f"photo {key} is lost" for key in sorted(before.keys() & after.keys() - found.photos.keys()))
        for key, content in found.photos.items():
            if content not in (before.get(key), after.get(key)):
                yield f"photo {key} is another"

    def _wrong_links(self, found: State) -> Iterator[tuple[str, object]]:
        for rows in filter(None, (found.rows, found.previous)):
            for (table, name), row in rows.items():
                if table == "student_faces" and "external_image_id" in row:
                    face, known = row["face_id"], {row["external_image_id"], PLACEHOLDER}
                    gone = (self.before.rows or {}).get((table, name), {}).get("face_id")
                    if face not in known and face != gone:
                        yield name, face


def _differences(wanted: State, found: State) -> Iterator[str]:
    if wanted.rows != found.rows:
        yield f"rows differ: {_name_changes(wanted.rows or {}, found.rows or {})}"
    if wanted.photos != found.photos:
        yield f"photos differ: {sorted(dict(wanted.photos.items() ^ found.photos.items()))}"
    if wanted.users != found.users:
        yield f"users differ: {sorted(wanted.users ^ found.users)}"
    if _count(wanted) != _count(found):
        yield f"faces differ: {sorted(((_count(wanted) - _count(found)) + (_count(found) - _count(wanted))).elements())}"


def _name_changes(one: Rows, other: Rows) -> str:
    changed = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
    named = [f"{key}: {one.get(key)} | {other.get(key)}" for key in sorted(changed)[:2]]
    return f"{len(changed)}, {'; '.join(named)}"
