"""Numbers are float32, and rounded once more when they are stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.rekognition.numbers import single, stored_box, stored_confidence, stored_ratio, write_json


def test_a_ratio_is_stored_with_six_significant_digits():
    assert stored_ratio(0.23503491282463074) == 0.2350350022315979


def test_a_confidence_is_stored_as_a_fraction_of_six_decimals():
    assert stored_confidence(99.99736785888672) == 99.99739837646484


def test_a_box_is_stored_ratio_by_ratio():
    assert stored_box({"Width": 0.23503491282463074}) == {"Width": 0.2350350022315979}


@given(st.floats(-1, 2, width=32))
def test_storing_twice_changes_nothing_more(number: float):
    assert stored_ratio(stored_ratio(number)) == stored_ratio(number)


@given(st.floats(0, 100))
def test_every_number_is_a_float32(number: float):
    for rounded in (single(number), stored_ratio(number), stored_confidence(number)):
        assert float(np.float32(rounded)) == rounded


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (100.0, "100.0"),
        (3.1391781521961093e-4, "3.1391781521961093E-4"),
        (0.001, "0.001"),
        (0.0009765625, "9.765625E-4"),
        (1533422155.042, "1.533422155042E9"),
        (9999999.0, "9999999.0"),
        (-1e-5, "-1.0E-5"),
        (0.0, "0.0"),
        (200, "200"),
    ],
)
def test_numbers_are_written_as_java_does(number: float, text: str):
    assert write_json({"a": [number, None, True, "é"]}) == f'{{"a":[{text},null,true,"\\u00e9"]}}'
