"""Copies of class photos with a frame and a name on each face."""

from collections.abc import Sequence
from pathlib import Path

from eduguard.errors import EduguardError
from eduguard.jpeg import open_upright
from eduguard.students.attendance import Roster
from eduguard.students.class_photos import Likeness, Sighting
from eduguard.students.pictures import Picture, draw_names
from eduguard.students.private_files import write_private

_SURE, _UNSURE = "#2ecc71", "#f5a623"  # green, amber


def name_outputs(name: str, photos: Sequence[Path]) -> list[Path]:
    """Return the file name of each copy: the name itself for one photo, numbered for several; empty without a name.

    Raises:
        EduguardError: when the name does not end like a JPEG's, or when a copy would overwrite a photo.
    """
    if not name:
        return []
    file = Path(name)
    if file.suffix.lower() not in {".jpg", ".jpeg"}:
        raise EduguardError(f"--annotate {name} is not the name of a JPEG file", hint="Give it a name like seen.jpg.")
    several = [file.with_stem(f"{file.stem}-{number}") for number in range(1, len(photos) + 1)]
    outputs = several if len(photos) > 1 else [file]
    if clash := {each.resolve() for each in outputs} & {each.resolve() for each in photos}:
        raise EduguardError(f"{', '.join(map(str, clash))} is a photo to be read", hint="Choose another --annotate.")
    return outputs


def annotate_photos(
    outputs: Sequence[Path], pictures: Sequence[Picture], sightings: Sequence[Sighting], roster: Roster
) -> None:
    """Write a copy of each picture with its faces framed and named, readable by its owner only.

    Raises:
        EduguardError: when a file cannot be written.
    """
    for number, output in enumerate(outputs):
        names = [(each.box, *_label(each, roster)) for each in sightings if each.photo == number]
        write_private(output, draw_names(open_upright(pictures[number].content), names))


def _label(sighting: Sighting, roster: Roster) -> tuple[str, str]:
    likeness = sighting.likeness
    if isinstance(likeness, Likeness) and sighting.is_sure and likeness.student_id in roster.names:
        return f"{roster.names[likeness.student_id]} {likeness.similarity:.1f}", _SURE
    return "?", _UNSURE
