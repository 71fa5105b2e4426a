"""What is drawn on a picture stays on it."""

import io

import pytest
from PIL import Image

from eduguard.aws import Box
from eduguard.students.pictures import draw_names

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
