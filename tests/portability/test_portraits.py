"""Drawn portraits: a number always gives the same file, and classmates do not look alike."""

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eduguard.checks.verification import disguise
from eduguard.portability import World
from eduguard.portability.drawn_photos import draw_shot
from eduguard.portability.generation.drawing.anybody import draw_anybody, make_face
from eduguard.portability.generation.drawing.face import Light, Pose
from eduguard.portability.generation.drawing.scene import draw_portrait
from eduguard.portability.generation.portraits import choose_faces, read_groups
from localcloud.rekognition.engine import Engine, similarity, unit
from localcloud.rekognition.quality import BARS

LARGEST_SECTION = 38


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load()


def find_feature(engine: Engine, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    faces = engine.detect(picture)
    assert len(faces) == 1
    return engine.feature(picture, faces[0])


def embed_group(engine: Engine, group: tuple[int, ...]) -> NDArray[np.float32]:
    pictures = (cv2.imdecode(np.frombuffer(draw_anybody(face), np.uint8), cv2.IMREAD_COLOR) for face in group)
    features = np.array([find_feature(engine, picture) for picture in pictures])
    lengths = np.linalg.norm(features, axis=1)
    assert lengths.min() > BARS["LOW"].length, "a face is refused for its quality"
    return features / lengths[:, None]


def largest_cosine(embeddings: NDArray[np.float32]) -> float:
    return max(float(one @ other) for one, other in combinations(embeddings, 2))


def test_no_face_is_in_two_groups_and_a_group_is_as_large_as_a_section() -> None:
    groups = read_groups()
    assert {len(group) for group in groups} == {LARGEST_SECTION}
    faces = [face for group in groups for face in group]
    assert len(set(faces)) == len(faces) > 1000


def test_a_face_is_always_drawn_alike() -> None:
    assert draw_anybody(7) == draw_anybody(7) != draw_anybody(8)


@pytest.mark.slow
def test_classmates_are_apart_and_another_picture_is_most_like_their_own(engine: Engine) -> None:
    group = read_groups()[0]
    embeddings = embed_group(engine, group)
    assert largest_cosine(embeddings) < 0.6
    shot = Pose(yaw=8.0, roll=-3.0, size=0.27, smile=0.2), Light(side=-0.8, shadow=0.3, warmth=0.6), (205, 196, 170)
    for place in range(0, LARGEST_SECTION, 4):
        other = np.asarray(draw_portrait(make_face(group[place]), *shot))[:, :, ::-1]
        likeness = embeddings @ find_feature(engine, np.ascontiguousarray(other))
        assert int(likeness.argmax()) == place


@pytest.mark.slow
@pytest.mark.parametrize("group", read_groups()[1:], ids=lambda group: str(group[0]))
def test_the_classmates_of_every_group_are_apart(engine: Engine, group: tuple[int, ...]) -> None:
    assert largest_cosine(embed_group(engine, group)) < 0.6


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.sampled("one that was lost")
@pytest.mark.parametrize(
    "faces", [(362,), *read_groups()[:8]], ids=["one that was lost", *(str(group[0]) for group in read_groups()[:8])]
)
def test_each_drawn_photo_is_recognised_when_it_is_cropped(engine: Engine, faces: tuple[int, ...]) -> None:
    for face in faces:
        shots = [draw_shot(face, number) for number in (1, 2, 3)]
        own = np.array([unit(find_feature(engine, decode(shot))) for shot in shots])
        for number, shot in enumerate(shots, start=1):
            likeness = similarity(own @ unit(find_feature(engine, decode(disguise(shot)))))
            assert likeness.max() >= 95, (face, number)


@settings(max_examples=10)
@given(st.integers(1, 1500), st.integers(0, 300))
def test_a_section_has_one_group_and_a_student_keeps_the_face(students: int, more: int) -> None:
    school, larger = (
        World(seed="1", students=count, schools=1, photos=True).make()[0] for count in (students, students + more)
    )
    chosen = dict(choose_faces(school))
    assert len(chosen) == students
    assert chosen.items() <= dict(choose_faces(larger)).items()
    groups = [set(group) for group in read_groups()]
    for section in school.sections:
        faces = [chosen[f"student-{student.key}"] for student in section.students]
        assert len(set(faces)) == len(faces)
        assert any(set(faces) <= group for group in groups)
    if len(school.sections) <= len(groups):
        assert len(set(chosen.values())) == students
