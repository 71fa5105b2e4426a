"""Which objects are students' photos, what is wrong with a photo, and which photos would be copied; without a bucket."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from eduguard.aws.bucket import Content
from eduguard.errors import EduguardError
from eduguard.students import photos, proposals
from eduguard.students.photos import CopyPlan, PhotoReport, check_keys, find_files, is_photo_key, judge_photo


def jpeg(width: int = 80, height: int = 80) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, format="JPEG")
    return out.getvalue()


def stored(content: bytes, content_type: str = "image/jpeg", sha256: str | None = None) -> Content:
    return Content(content=content, content_type=content_type, sha256=sha256)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (stored(jpeg()), None),
        (stored(jpeg(), sha256=hashlib.sha256(jpeg()).hexdigest()), None),
        (stored(jpeg(), sha256=hashlib.sha256(b"other").hexdigest()), "damaged"),
        (stored(b""), "too small"),
        (stored(b"", "text/plain"), "too small"),
        (stored(jpeg(), "image/png"), "wrong type"),
        (stored(jpeg(), "a/b"), "wrong type"),
        (stored(b"no picture"), "wrong type"),
        (stored(jpeg(79, 500)), "too small"),
        (stored(jpeg(500, 79)), "too small"),
        (stored(jpeg(500, 80)), None),
    ],
)
def test_what_is_wrong_with_a_photo_is_one_word(found: Content, verdict: str | None) -> None:
    assert judge_photo(found) == verdict


def test_a_report_counts_and_names_every_kind() -> None:
    report = PhotoReport(
        photos=9,
        missing=("m",),
        extra=("e", "f"),
        wrong_type=("w", "x", "y"),
        too_small=("s", "t", "u", "v"),
        damaged=("d", "d1", "d2", "d3", "d4"),
    )
    assert report.summary() == "9 photos of rows: 1 missing, 2 extra, 3 of the wrong type, 4 too small, 5 damaged"
    kinds = ["missing", *["extra"] * 2, *["wrong type"] * 3, *["too small"] * 4, *["damaged"] * 5]
    assert [kind for kind, _ in report.findings()] == kinds
    assert [key for _, key in report.findings()] == [
        "m",
        "e",
        "f",
        "w",
        "x",
        "y",
        "s",
        "t",
        "u",
        "v",
        "d",
        "d1",
        "d2",
        "d3",
        "d4",
    ]


def test_a_plan_mentions_replaced_and_passed_over_photos_only_if_there_are_some() -> None:
    assert CopyPlan(keys=("a",), replaced=(), unchanged=2).summary(done="pushed") == (
        "1 photo pushed, 2 the same on both sides"
    )
    assert CopyPlan(keys=("a", "b"), replaced=("a",), unchanged=0, passed_over=("x", "y")).summary(done="to pull") == (
        "2 photos to pull, 0 the same on both sides, 1 in place of another, 2 that are not students' photos passed over"
    )


def test_what_is_missing_or_differs_is_copied() -> None:
    same = {"b": True, "a": None, "d": False, "c": None, "e": True}
    plan = photos._plan(same, same.__getitem__, passed_over=iter(["y", "x"]))
    assert plan == CopyPlan(keys=("a", "c", "d"), replaced=("d",), unchanged=2, passed_over=("x", "y"))


@pytest.mark.parametrize(
    ("key", "is_ours"),
    [
        ("students/student-001/photo-1.jpg", True),
        (f"students/{'x' * 240}/photo-1.jpg", True),
        (f"students/{'x' * 241}/photo-1.jpg", False),
        ("students/student-001/photo-0.jpg", False),
        ("students/student-001/photo-1.jpeg", False),
        ("students/.hidden/photo-1.jpg", False),
        ("students/../photo-1.jpg", False),
        ("classes/monday.jpg", False),
        ("students/", False),
    ],
)
def test_only_a_safe_path_of_our_form_is_a_students_photo(key: str, is_ours: bool) -> None:
    assert is_photo_key(key) is is_ours


def test_keys_that_cannot_be_files_are_refused_by_name_the_first_of_them() -> None:
    check_keys(["a.jpg", "b/c.jpeg"])
    with pytest.raises(EduguardError) as raised:
        check_keys(["a.jpg", "../x.jpg", "é.jpg", "../x.jpg"])
    assert raised.value.message == "2 keys cannot be files: '../x.jpg', '\\xe9.jpg'"
    with pytest.raises(EduguardError) as raised:
        check_keys(f"/{number:02}.jpg" for number in range(22))
    assert raised.value.message.startswith("22 keys cannot be files: '/00.jpg'")
    assert raised.value.message.endswith("'/19.jpg'")


def photo(folder: Path, key: str, content: bytes) -> Path:
    file = folder / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_the_files_of_a_folder_are_named_by_their_keys_hidden_ones_aside(tmp_path: Path) -> None:
    good = photo(tmp_path, "students/s1/photo-1.jpg", jpeg())
    other = photo(tmp_path, "notes/readme.txt", b"text")
    photo(tmp_path, "students/s1/.photo-2.jpg", jpeg())
    assert find_files(tmp_path) == {"students/s1/photo-1.jpg": good, "notes/readme.txt": other}


def test_a_folder_that_is_not_there_or_has_no_students_photo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match=f"There is no folder {tmp_path}/gone"):
        find_files(tmp_path / "gone")
    photo(tmp_path, "photo-1.jpg", jpeg())
    with pytest.raises(EduguardError, match=f"No student's photo in {tmp_path}"):
        find_files(tmp_path)
    with pytest.raises(EduguardError, match="Cannot use .*: File name too long"):
        find_files(tmp_path / ("x" * 300))


def test_the_first_photos_that_are_not_jpeg_are_named(tmp_path: Path) -> None:
    photo(tmp_path, "students/s1/photo-1.jpg", jpeg())
    for number in range(2, 24):
        photo(tmp_path, f"students/s1/photo-{number}.jpg", b"text")
    wrong = sorted(f"students/s1/photo-{number}.jpg" for number in range(2, 24))
    with pytest.raises(EduguardError) as raised:
        find_files(tmp_path)
    assert raised.value.message == f"No JPEG pictures: {', '.join(wrong[:20])}"


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "good").mkdir()
    (inside / "link").symlink_to(outside)
    photos._check_inside(inside, inside / "good" / "a.jpg")
    with pytest.raises(EduguardError, match=r"link/a\.jpg leads out of"):
        photos._check_inside(inside, inside / "link" / "a.jpg")


def key(student: str, name: str) -> str:
    return f"students/{student}/{name}.jpg"


@pytest.mark.parametrize(
    ("rows", "keys", "expected"),
    [
        ({"s-photo-1": key("s", "photo-1")}, [key("s", "photo-1")], []),
        ({}, [key("s", "photo-2")], [("s-photo-2", key("s", "photo-2"), None)]),
        ({"s-photo-1": "lost"}, [key("s", "front")], [("s-photo-1", key("s", "front"), "lost")]),
        (
            {"s-photo-1": "lost 1", "s-photo-2": "lost 2"},
            [key("s", "a"), key("s", "img-02")],
            [("s-photo-2", key("s", "img-02"), "lost 2"), ("s-photo-1", key("s", "a"), "lost 1")],
        ),
        ({"s-photo-1": key("s", "photo-1")}, [key("s", "photo-1"), key("s", "a")], [("s-photo-2", key("s", "a"), None)]),
        (
            {"s-photo-1": "lost"},
            [key("s", "photo-4"), key("s", "a"), key("s", "b")],
            [("s-photo-4", key("s", "photo-4"), None), ("s-photo-1", key("s", "a"), "lost"), ("s-photo-5", key("s", "b"), None)],
        ),
        ({"s-photo-1": key("s", "x")}, [key("s", "x"), key("s", "photo-1")], [("s-photo-2", key("s", "photo-1"), None)]),
        ({}, [key("strange", "photo-1"), "students/s/../x.jpg", "students/s/note.txt", "classes/s/photo-1.jpg"], []),
    ],
    ids=[
        "named", "its own number", "a lost photo", "the number in the name first", "a new row", "all of it",
        "a number that is taken", "nothing that is not a student's photo",
    ],
)  # fmt: skip
def test_each_photo_without_a_row_is_proposed_for_one(
    rows: dict[str, str], keys: list[str], expected: list[tuple[str, str, str | None]]
) -> None:
    found = proposals.propose(rows, keys, {"s"})
    assert [(each.external_image_id, each.key, each.replaces) for each in found] == expected
