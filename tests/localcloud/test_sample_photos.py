"""The sample photos are drawings, and the engine works with them as with photos of people."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from localcloud.rekognition.engine import Engine

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "seed_data" / "photos"
STUDENTS = sorted(folder.name for folder in (PHOTOS / "students").iterdir())
CLASS = STUDENTS[:6]  # the first school's


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load()


def read(file: Path) -> NDArray[np.uint8]:
    with Image.open(file) as picture:
        return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[:, :, ::-1])


@pytest.fixture(scope="module")
def embeddings(engine: Engine) -> dict[str, NDArray[np.float32]]:
    found = {}
    for student in STUDENTS:
        rows = []
        for file in sorted((PHOTOS / "students" / student).glob("photo-*.jpg")):
            picture = read(file)
            faces = engine.detect(picture)
            assert len(faces) == 1, file
            assert faces[0].score > 0.85, file
            rows.append(engine.embed(picture, faces[0]))
        found[student] = np.array(rows)
    return found


def test_there_are_three_photos_of_each_student_of_two_schools() -> None:
    assert [*(f"student-00{number}" for number in range(1, 7)), "student-101", "student-102"] == STUDENTS
    assert all(len(list((PHOTOS / "students" / student).glob("photo-[123].jpg"))) == 3 for student in STUDENTS)


def test_one_students_photos_resemble_each_other(embeddings: dict[str, NDArray[np.float32]]) -> None:
    assert min(float((rows @ rows.T).min()) for rows in embeddings.values()) >= 0.8


def test_two_students_do_not_resemble_each_other(embeddings: dict[str, NDArray[np.float32]]) -> None:
    assert max(float((a @ b.T).max()) for a, b in combinations(embeddings.values(), 2)) <= 0.45


def test_the_photos_of_a_student_are_different_pictures() -> None:
    for student in STUDENTS:
        pictures = [read(file).astype(float) for file in sorted((PHOTOS / "students" / student).glob("*.jpg"))]
        assert min(np.abs(a - b).mean() for a, b in combinations(pictures, 2)) > 20


def test_the_class_photo_shows_each_student_once(engine: Engine, embeddings: dict[str, NDArray[np.float32]]) -> None:
    picture = read(PHOTOS / "classes" / "class-1b-lenguaje.jpg")
    faces = engine.detect(picture)
    assert min(min(face.box[2:]) for face in faces) > 60
    seen = []
    for face in faces:
        likeness = {name: float((rows @ engine.embed(picture, face)).max()) for name, rows in embeddings.items()}
        first, second = sorted(likeness.values(), reverse=True)[:2]
        assert first >= 0.8
        assert second <= 0.45
        seen.append(max(likeness, key=lambda name: likeness[name]))
    assert sorted(seen) == CLASS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["students/student-001/photo-2.jpg", "classes/class-1b-lenguaje.jpg"])
def test_the_script_draws_the_committed_pictures(tmp_path: Path, name: str) -> None:
    script = (
        "import sys; from pathlib import Path; import draw_photos\n"
        "draw_photos.main(Path(sys.argv[1]), only=sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path, name], cwd=ROOT / "seed_data", check=True)
    drawn, committed = read(tmp_path / name).astype(float), read(PHOTOS / name).astype(float)
    assert np.abs(drawn - committed).mean() < 1.0
