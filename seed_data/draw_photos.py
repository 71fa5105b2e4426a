"""Draw the sample photos: `python seed_data/draw_photos.py` writes all of them, the same pictures every time."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image
from sample_faces import CLASS, SHOTS, STUDENTS

from eduguard.portability.generation.drawing.scene import draw_class_photo, draw_portrait
from eduguard.students import DRAWN_COMMENT

PHOTOS = Path(__file__).resolve().parent / "photos"
QUALITY = 88


def main(folder: Path = PHOTOS, *, only: str = "") -> None:
    """Write three portraits of each student and a class photo, or only the picture named."""
    for name, draw in pictures():
        if only in {"", name}:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            draw().save(file, quality=QUALITY, optimize=True, comment=DRAWN_COMMENT)


def pictures() -> Iterator[tuple[str, Callable[[], Image.Image]]]:
    """Yield the name of each picture and the function that draws it."""
    for student, face in STUDENTS.items():
        for number, (pose, light, backdrop) in enumerate(SHOTS, start=1):
            yield f"students/{student}/photo-{number}.jpg", partial(draw_portrait, face, pose, light, backdrop)
    yield "classes/class-1b-lenguaje.jpg", partial(draw_class_photo, CLASS)


if __name__ == "__main__":
    main()
