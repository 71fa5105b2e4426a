"""The engine really finds faces and tells people apart."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from localcloud.rekognition.engine import Engine, EngineError, Results, check_weights, similarity
from localcloud.rekognition.images import decode
from localcloud.rekognition.measures import measure_pose, measure_quality

Portrait = Callable[[str], bytes]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load()


@pytest.mark.slow
def test_every_same_pair_scores_95_and_every_different_pair_20_at_most(
    engine: Engine, labelled: dict[str, list[str]], portrait: Portrait
):
    people = []
    for name, people_in_it in labelled.items():
        pixels = decode(portrait(name))
        faces = sorted(engine.detect(pixels), key=lambda face: face.box[0])
        assert len(faces) == len(people_in_it), name
        people += zip(people_in_it, [engine.embed(pixels, face) for face in faces], strict=True)
    same, different = [], []
    for (one, first), (other, second) in itertools.combinations(people, 2):
        score = float(similarity(np.float32(first @ second)))
        (same if one == other else different).append(score)
    assert len(same) == 16
    assert min(same) >= 95
    assert max(different) <= 20


def test_the_map_to_similarity_rises_from_0_to_100():
    scores = similarity(np.linspace(-1, 1, 2001, dtype=np.float32))
    assert scores[0] == 0
    assert scores[-1] == 100
    assert (np.diff(scores) > 0).all()


def test_an_embedding_is_a_unit_vector_of_128_numbers(engine: Engine, photo: Callable[[int, int], bytes]):
    pixels = decode(photo(1, 1))
    embedding = engine.embed(pixels, engine.detect(pixels)[0])
    assert embedding.shape == (128,)
    assert embedding.dtype == np.float32
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)


def test_the_largest_face_comes_first_and_none_twice(engine: Engine, class_photo: bytes):
    faces = engine.detect(decode(class_photo))
    assert len(faces) == 6
    assert [face.area for face in faces] == sorted((face.area for face in faces), reverse=True)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3], ids=["no margin", "a tenth", "a third"])
def test_a_face_that_fills_a_large_picture_is_found_once(engine: Engine, portrait: Portrait, margin: float):
    pixels = decode(portrait("biden-3.jpg"))
    left, top, width, height = engine.detect(pixels)[0].box
    rows = slice(max(0, int(top - margin * height)), int(top + (1 + margin) * height))
    columns = slice(max(0, int(left - margin * width)), int(left + (1 + margin) * width))
    assert len(engine.detect(cv2.resize(pixels[rows, columns], (1400, 1800)))) == 1


@pytest.mark.slow
def test_a_picture_that_is_looked_at_again_has_the_same_faces(engine: Engine, photo: Callable[[int, int], bytes]):
    first, other = decode(photo(1, 1)), decode(photo(2, 1))
    for _ in range(2):
        for pixels in (first, other, first[:, ::-1].copy()):
            faces, new = engine.detect(pixels), Engine.load()
            assert faces == new.detect(pixels)
            assert (engine.embed(pixels, faces[0]) == new.embed(pixels, faces[0])).all()
    assert engine.detect(first) != engine.detect(other)


def test_only_the_last_results_are_kept():
    results, made = Results[int](most=3), list[int]()

    def look(number: int) -> int:
        return results.of(number, lambda: made.append(number) or -number)

    assert [look(number) for number in (1, 2, 3, 1, 4, 2, 1)] == [-1, -2, -3, -1, -4, -2, -1]
    assert made == [1, 2, 3, 4, 1]


def test_a_picture_without_a_face_has_none(engine: Engine):
    assert engine.detect(np.full((300, 400, 3), 127, np.uint8)) == []


def test_pose_and_quality_follow_the_picture(engine: Engine, portrait: Portrait):
    pixels = decode(portrait("obama-2.jpg"))
    mirrored, dark, blurred = pixels[:, ::-1].copy(), (pixels * 0.25).astype(np.uint8), cv2.blur(pixels, (25, 25))
    face, mirror_face = engine.detect(pixels)[0], engine.detect(mirrored)[0]
    assert measure_pose(face).yaw * measure_pose(mirror_face).yaw < 0
    assert measure_quality(dark, face).brightness < measure_quality(pixels, face).brightness / 3
    assert measure_quality(dark, face).sharpness == pytest.approx(measure_quality(pixels, face).sharpness, abs=15)
    assert measure_quality(blurred, face).sharpness < 5


def turned(pixels: Any, degrees: int) -> Any:
    """Rotate a picture clockwise without cutting anything off."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = int(height * sine + width * cosine), int(height * cosine + width * sine)
    matrix[:, 2] += size[0] / 2 - width / 2, size[1] / 2 - height / 2
    return cv2.warpAffine(pixels, matrix, size, borderValue=(110, 110, 110))


@pytest.mark.slow
@pytest.mark.parametrize("degrees", range(0, 360, 15))
def test_a_portrait_however_it_is_turned_is_its_own_person_or_is_not_found(
    engine: Engine, labelled: dict[str, list[str]], portrait: Portrait, degrees: int
):
    pictures = {name: decode(portrait(name)) for name, people in labelled.items() if len(people) == 1}
    upright = {
        name: (labelled[name][0], engine.embed(pixels, engine.detect(pixels)[0])) for name, pixels in pictures.items()
    }
    found = 0
    for name, pixels in pictures.items():
        picture = turned(pixels, degrees)
        for face in engine.detect(picture)[:1]:
            vector, found = engine.embed(picture, face), found + 1
            scores = {
                is_own: max(
                    float(similarity(vector @ other))
                    for person, other in upright.values()
                    if (person == labelled[name][0]) == is_own
                )
                for is_own in (True, False)
            }
            assert scores[True] >= 95, (name, degrees)
            assert scores[False] < 80, (name, degrees)
            roll = measure_pose(face).roll - measure_pose(engine.detect(pixels)[0]).roll
            assert abs((roll - degrees + 180) % 360 - 180) < 25, (name, degrees)
    assert found >= len(pictures) - 1


def test_a_changed_weight_is_refused(tmp_path: Path):
    for path in check_weights(None):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineError, match="is not the expected model: SHA-256"):
        Engine.load(tmp_path)


def test_missing_weights_are_named(tmp_path: Path):
    with pytest.raises(EngineError, match="is missing; --models names the folder"):
        Engine.load(tmp_path)
