"""What is drawn on a picture stays on it."""

import io
from pathlib import Path

import pytest
from PIL import Image

from eduguard.aws import Box
from eduguard.errors import EduguardError
from eduguard.students.pictures import draw_names, read_picture

SURE = "#2ecc71"


def tab(box: Box, label: str = "Ñandú Ávila 99.9") -> tuple[int, int, int, int]:
    """Where the tab of the name is: the rows in which most pixels have its colour."""
    drawn = Image.open(io.BytesIO(draw_names(Image.new("RGB", (1600, 900), "black"), [(box, label, SURE)])))
    mask = drawn.convert("RGB").split()[1].point(lambda green: 255 if green > 100 else 0)
    rows = [y for y in range(900) if sum(mask.crop((0, y, 1600, y + 1)).histogram()[255:]) > 140]
    left, _, right, _ = mask.crop((0, rows[3], 1600, rows[3] + 1)).getbbox() or (0, 0, 0, 0)
    return left, rows[0], right, rows[-1]


@pytest.mark.parametrize("left", [0.0, 0.5, 0.95], ids=["at the left edge", "in the middle", "at the right edge"])
@pytest.mark.parametrize("top", [0.0, 0.5, 0.9], ids=["top", "middle", "bottom"])
def test_a_name_is_whole_wherever_its_face_is(left: float, top: float) -> None:
    middle = tab(Box(left=0.3, top=0.3, width=0.05, height=0.1))
    there = tab(Box(left=left, top=top, width=0.05, height=0.1))
    assert abs((there[2] - there[0]) - (middle[2] - middle[0])) <= 2
    assert 0 <= there[0] < there[2] <= 1600
    assert there[3] < 900


@pytest.mark.parametrize("size", [(80, 80), (80, 1600), (1600, 80)])
def test_a_photo_whose_shorter_side_is_long_enough_is_read(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "photo.jpg")
    assert read_picture(tmp_path / "photo.jpg").content == (tmp_path / "photo.jpg").read_bytes()


@pytest.mark.parametrize("size", [(79, 1600), (1600, 79)])
def test_a_photo_that_is_long_in_one_side_only_is_refused_with_its_size(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "photo.jpg")
    with pytest.raises(EduguardError, match=f"photo.jpg has {size[0]} x {size[1]} pixels; 80 are the least"):
        read_picture(tmp_path / "photo.jpg")
