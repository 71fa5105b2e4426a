"""Names and frames that are drawn on a picture stay inside it."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from eduguard.aws import Box
from eduguard.errors import EduguardError
from eduguard.students import pictures
from eduguard.students.pictures import cut_face, draw_names, read_picture

SURE = "#2ecc71"


def tab(box: Box, label: str = "Ñandú Ávila 99.9") -> tuple[int, int, int, int]:
    """The position of the name's tab: the rows in which most pixels have its colour."""
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


def jpeg(image: Image.Image, **options: bytes) -> bytes:
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=95, **options)
    return out.getvalue()


def pixels(image: Image.Image) -> list[tuple[int, int, int]]:
    data = image.tobytes()
    return list(zip(data[::3], data[1::3], data[2::3], strict=True))


def is_near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) < 40 for one, other in zip(pixel, colour, strict=True))


def test_only_a_photo_with_our_comment_is_drawn(tmp_path: Path) -> None:
    image = Image.new("RGB", (80, 80))
    for comment, is_drawn in (
        (b"drawn by EduGuard DB", True),
        (b"drawn by hand", False),
        (b"zzz", False),
        (b"", False),
    ):
        (tmp_path / "photo.jpg").write_bytes(jpeg(image, comment=comment))
        picture = read_picture(tmp_path / "photo.jpg")
        assert (picture.is_drawn, picture.marks) == (is_drawn, {"origin": "drawn"} if is_drawn else {})
        assert picture.sha256 == hashlib.sha256(picture.content).hexdigest()


def test_what_is_not_a_file_or_is_missing_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "photo-1.jpg").write_bytes(b"")
    with pytest.raises(EduguardError) as raised:
        read_picture(tmp_path / "photo_1.jpg")
    assert raised.value.message == f"Cannot read {tmp_path}/photo_1.jpg: No such file or directory"
    assert raised.value.hint == "Did you mean photo-1.jpg?"
    for folder in (tmp_path / "gone" / "photo-1.jpg", tmp_path / "class.png"):
        with pytest.raises(EduguardError, match="No such file or directory") as raised:
            read_picture(folder)
        assert raised.value.hint is None
    with pytest.raises(EduguardError, match=f"{tmp_path} is not a file"):
        read_picture(tmp_path)
    with pytest.raises(EduguardError, match="photo-1.jpg is not a JPEG picture"):
        read_picture(tmp_path / "photo-1.jpg")


def test_a_file_of_more_than_64_mb_is_not_read(tmp_path: Path) -> None:
    content = jpeg(Image.new("RGB", (80, 80)))
    with (tmp_path / "photo.jpg").open("wb") as file:
        file.write(content)
        file.truncate(64 * 1024 * 1024)
    assert len(read_picture(tmp_path / "photo.jpg").content) == 64 * 1024 * 1024
    with (tmp_path / "photo.jpg").open("ab") as file:
        file.write(b"x")
    with pytest.raises(EduguardError, match="more than 67,108,864 bytes"):
        read_picture(tmp_path / "photo.jpg")


def test_a_photo_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    (tmp_path / "photo.jpg").write_bytes(jpeg(noise)[:-3000])
    with pytest.raises(EduguardError, match="photo.jpg is not a JPEG picture that can be decoded"):
        read_picture(tmp_path / "photo.jpg")


RED, BLUE, WHITE, GREY = (220, 20, 20), (20, 20, 220), (255, 255, 255), (128, 128, 128)
FACE = Box(left=0.3, top=0.4, width=0.2, height=0.3)  # 300 to 500, 320 to 560 of 1000 x 800


def cut(boxes: list[Box], number: int = 0, size: tuple[int, int] = (1000, 800)) -> Image.Image:
    """Cut the face of the first box out of a white picture; the first box is red and the others are blue."""
    image = Image.new("RGB", size, WHITE)
    for box, colour in [*((box, BLUE) for box in boxes[1:]), (boxes[0], RED)]:
        left, top = round(box.left * size[0]), round(box.top * size[1])
        image.paste(colour, (left, top, left + round(box.width * size[0]), top + round(box.height * size[1])))
    return Image.open(io.BytesIO(cut_face(image, boxes, number))).convert("RGB")


def test_a_face_is_cut_out_with_four_tenths_of_its_size_around_it() -> None:
    found = cut([FACE])
    assert found.size == (360, 432)  # 200 + 2 x 80, 240 + 2 x 96
    inside = [(84, 100), (275, 100), (84, 331), (275, 331)]
    around = [(75, 100), (284, 100), (84, 91), (275, 340), (4, 4), (355, 427)]
    assert all(is_near(found.getpixel(place), RED) for place in inside)
    assert all(is_near(found.getpixel(place), WHITE) for place in around)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(left=0, top=0, width=0.3, height=0.4), (420, 448)),
        (Box(left=0.7, top=0.6, width=0.3, height=0.4), (420, 448)),
        (Box(left=0.05, top=0.3, width=0.3, height=0.4), (470, 576)),
        (Box(left=0.4, top=0.05, width=0.3, height=0.4), (540, 488)),
    ],
    ids=["in the first corner", "in the last corner", "near the left edge", "near the top edge"],
)
def test_a_cut_ends_at_the_edges_of_the_picture(box: Box, size: tuple[int, int]) -> None:
    assert cut([box]).size == size


def test_no_other_face_is_left_in_a_cut_and_none_of_the_own_is_lost() -> None:
    beside = Box(left=0.5, top=0.4, width=0.2, height=0.3)  # 500 to 700: 80 of it are in the cut
    above = Box(left=0.25, top=0.25, width=0.1, height=0.2)  # 250 to 350, 200 to 360: over a corner of the face
    found = cut([FACE, beside, above])
    assert found.size == (360, 432)
    assert all(
        is_near(found.getpixel(place), GREY) for place in [(290, 100), (355, 330), (35, 4), (75, 130), (125, 90)]
    )
    assert all(is_near(found.getpixel(place), RED) for place in [(86, 102), (120, 120), (273, 102), (273, 329)])
    assert all(
        is_near(found.getpixel(place), WHITE) for place in [(20, 60), (140, 60), (290, 85), (290, 345), (60, 145)]
    )
    assert not any(blue > 150 and red < 80 for red, _, blue in pixels(found)), "blue is left"


def test_the_face_of_the_number_is_cut_out() -> None:
    beside = Box(left=0.6, top=0.1, width=0.1, height=0.3)
    found = cut([FACE, beside], number=1)
    assert found.size == (240, 555)  # 180 x 416, made larger: 240 is the least of the shorter side
    assert is_near(found.getpixel((120, 277)), BLUE)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (Box(left=0.5, top=0.5, width=0.1, height=0.1), (300, 240)),
        (Box(left=0.5, top=0.5, width=0.01, height=0.1), (240, 1920)),
        (Box(left=0.4, top=0.4, width=0.2, height=1 / 6), (360, 240)),
    ],
    ids=["low", "narrow", "just large enough"],
)
def test_a_small_face_is_made_larger_in_both_directions(box: Box, size: tuple[int, int]) -> None:
    assert cut([box]).size == size


def test_each_name_is_under_its_frame_in_its_colour() -> None:
    image = Image.new("RGB", (1400, 900), "white")
    names = [(Box(left=0.1, top=0.1, width=0.2, height=0.3), "Ana", "#ff0000"), (Box(left=0.6, top=0.3, width=0.2, height=0.3), "Luz", "#0000ff")]  # fmt: skip
    drawn = Image.open(io.BytesIO(draw_names(image, names))).convert("RGB")
    assert drawn.size == image.size
    assert image.getpixel((140, 200)) == WHITE, "the picture that was given is changed"
    for (left, top, right, bottom), colour in (
        ((140, 90, 420, 360), (255, 0, 0)),
        ((840, 270, 1120, 540), (0, 0, 255)),
    ):
        edges = [(left + 1, 450 - 140), (right - 1, 310), ((left + right) // 2, top + 1), (left + 1, bottom - 1)]
        assert all(is_near(drawn.getpixel(place), colour) for place in edges)
        assert is_near(drawn.getpixel(((left + right) // 2, top + 60)), WHITE)
        assert is_near(drawn.getpixel((left + 3, bottom + 4)), colour), "no tab"
        label = drawn.crop((left + 6, bottom + 2, left + 40, bottom + 26))
        assert any(sum(pixel) < 150 for pixel in pixels(label)), "no name"
        assert is_near(drawn.getpixel((right - 5, bottom + 20)), WHITE), "the tab is as long as the name"


def label(text: str = "Ág") -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A picture with one name on a red tab, and the position of the letters, without the tab's padding."""
    white = Image.new("RGB", (1400, 900), "white")
    drawn = Image.open(
        io.BytesIO(draw_names(white, [(Box(left=0.2, top=0.2, width=0.3, height=0.3), text, "#ff0000")]))
    )
    tab_of_it = drawn.crop((0, 451, 1400, 900)).convert("RGB")  # below the frame
    dark = tab_of_it.convert("L").point(lambda grey: 255 if grey < 40 else 0)
    return tab_of_it, dark.getbbox() or (0, 0, 0, 0)


def test_a_name_is_in_the_middle_of_its_tab() -> None:
    picture, (left, top, right, bottom) = label()
    red = picture.split()[1].point(lambda green: 255 if green < 100 else 0).getbbox() or (0, 0, 0, 0)
    padding = (left - red[0], top - red[1], red[2] - right, red[3] - bottom)
    assert min(padding) >= 4, padding
    assert max(padding) - min(padding) <= 4, padding


def test_a_machine_without_the_font_draws_the_letters_without_their_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_FONT", "there is no such font.ttf")
    accents, plain = (label(text) for text in ("Ñandú Ávila", "Nandu Avila"))
    assert accents[1] == plain[1]
    assert accents[1][2] - accents[1][0] > 60
