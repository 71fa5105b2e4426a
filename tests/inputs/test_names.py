"""Any photo key, file name or external image id is accepted safely, or refused by name."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eduguard.aws.types import Face
from eduguard.errors import EduguardError
from eduguard.identifiers import external_image_id, is_student_id, split_external_image_id
from eduguard.students.photos import check_keys
from eduguard.students.samples import find_photos
from eduguard.sync import FaceRow, pair_up, plan_sync

TEXT = st.text(max_size=40) | st.text("aZ0_.:-/\\ é\x00\n\ud800", max_size=300)
NAMES = st.from_regex(r"[a-zA-Z0-9_.:\-]{0,20}(-photo-)?[a-z0-9.\-]{0,9}", fullmatch=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def is_key(key: str, folder: Path) -> bool:
    """Say whether a key is accepted; if it is, it must make a file inside the folder."""
    try:
        check_keys([key])
    except EduguardError as error:
        assert error.message.isprintable()
        return False
    file = folder / key
    assert file.is_relative_to(folder)
    assert ".." not in file.parts
    assert not file.with_name(f".{file.name}.part").exists()
    return True


@given(key=TEXT.map(lambda text: f"students/{text}.jpg") | TEXT | NAMES.map(lambda name: f"{name}.jpg"))
@example(key="a" * 300 + ".jpg")
@example(key="students/../../etc/passwd.jpg")
def test_any_key_is_a_file_inside_the_folder_or_refused(folder: Path, key: str) -> None:
    assert is_key(key, folder) in {True, False}


def is_ours(name: str) -> bool:
    """Say whether an external image id has our form; if it has, its parts must make the same id again."""
    parts = split_external_image_id(name)
    if parts:
        assert external_image_id(*parts) == name
        assert is_student_id(parts[0])
    return parts is not None


@given(name=TEXT | NAMES | st.builds("{}-photo-{}".format, NAMES, st.integers()), held=TEXT.filter(bool))
def test_any_external_image_id_is_told_apart_and_planned(name: str, held: str) -> None:
    ours = is_ours(name)
    plan = plan_sync(pair_up([FaceRow("student-001-photo-1", held)], [Face("f", name, 1.0)]))
    assert len(plan.orphan) + len(plan.temporary) + len(plan.foreign) + plan.changed + plan.unchanged == 1
    assert bool(plan.orphan) is (ours and name != "student-001-photo-1")


def test_a_kept_name(folder: Path, sample: Path) -> None:
    kind, _, judged = sample.stem.partition("-")
    check = (lambda name: is_key(name, folder)) if kind == "keys" else is_ours
    for name in json.loads(sample.read_text()):
        assert check(name) is (judged == "taken"), name


@given(name=st.text("aZ0_.:- é\\'\"\n", min_size=1, max_size=30).filter(lambda name: name.strip(".")))
def test_any_file_of_a_folder_is_a_photo_or_named(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    file = folder / "students" / "student-001" / name
    file.parent.mkdir(parents=True)
    file.touch()
    try:
        photos = find_photos(folder)
    except EduguardError as error:
        assert str(file) in error.message or "No photo in" in error.message
    else:
        assert [photo.file for photo in photos] == [file]
