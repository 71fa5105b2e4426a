"""A NextToken is opaque, and valid only for the listing that it came from."""

import base64

import pytest

from localcloud.rekognition.exceptions import RekognitionError
from localcloud.rekognition.tokens import TokenMaker

MAKER = TokenMaker(secret=b"secret")
LISTING = ["ListFaces", "c"]


def test_a_token_brings_back_its_position():
    assert MAKER.read(LISTING, MAKER.make(LISTING, "abc")) == "abc"


def test_a_token_fits_the_model():
    assert len(MAKER.make(LISTING, "x" * 36)) <= 255


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("not base64!", id="not base64"),
        pytest.param("", id="empty"),
        pytest.param(base64.b64encode(b"x" * 80).decode(), id="forged"),
        pytest.param(TokenMaker(secret=b"other").make(LISTING, "abc"), id="of another store"),
        pytest.param(MAKER.make(["ListFaces", "d"], "abc"), id="of another collection"),
    ],
)
def test_any_other_token_is_refused(token: str):
    with pytest.raises(RekognitionError, match="InvalidPaginationTokenException: Invalid Pagination Token"):
        MAKER.read(LISTING, token)


def test_an_old_token_is_refused():
    hurried = TokenMaker(secret=b"secret", lifetime=-1.0)
    with pytest.raises(RekognitionError, match="InvalidPaginationTokenException"):
        hurried.read(LISTING, hurried.make(LISTING, "abc"))
