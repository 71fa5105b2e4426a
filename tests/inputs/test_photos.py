"""For any content of a photo's file, the photo is decoded, or one error names it."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eduguard.checks.verification import disguise
from eduguard.errors import EduguardError
from eduguard.jpeg import fit_picture, open_upright, read_size
from eduguard.students import read_picture

PHOTO = Path(__file__).parents[2] / "seed_data" / "photos" / "students" / "student-001" / "photo-1.jpg"


def small_photo() -> bytes:
    """Return a photo of a few thousand bytes with EXIF, so small that every byte matters."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x010F], exif[0x8769] = 6, "maker", {0x9003: "2020:01:01 00:00:00"}
    with Image.open(PHOTO) as image:
        image.resize((160, 200)).save(out, "JPEG", exif=exif, quality=80)
    return out.getvalue()


SMALL = small_photo()
PLACES = st.integers(0, 700) | st.integers(0, len(SMALL) - 1)  # more header bytes than pixel bytes
BROKEN = st.builds(
    lambda changes, end: bytes(changes.get(place, byte) for place, byte in enumerate(SMALL[:end])),
    st.dictionaries(PLACES, st.integers(0, 255) | st.just(255), max_size=12),
    st.just(len(SMALL)) | st.integers(0, len(SMALL)),
)


def outcome(content: bytes, file: Path) -> str:
    """Do what the workflow does with a photo; every step must have the same outcome."""
    file.write_bytes(content)
    ends, reasons = [], []
    for use in (
        lambda: read_picture(file),
        lambda: open_upright(content),
        lambda: disguise(content),
        lambda: fit_picture(content, limit=2000),
    ):
        try:
            use()
            ends.append("taken")
        except EduguardError as error:
            assert "\n" not in error.message
            ends.append("refused")
            reasons.append(error.message)
    assert read_size(content) is None or len(read_size(content) or ()) == 2
    assert ends[1] == ends[2]
    assert ends[0] == ends[1] or "are the least" in reasons[0]
    return ends[0]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photos") / "photo.jpg"


@given(content=BROKEN | st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(file: Path, content: bytes) -> None:
    assert outcome(content, file) in {"taken", "refused"}


def test_a_kept_photo(file: Path, sample: Path) -> None:
    assert outcome(sample.read_bytes(), file) == sample.name.partition("-")[0]


def test_a_pipe_a_device_and_a_folder_are_not_photos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(EduguardError, match=f"{path} is not a file"):
            read_picture(path)


def test_a_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EduguardError, match="Cannot read .*too long"):
        read_picture(tmp_path / ("x" * 300))
