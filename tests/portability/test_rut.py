"""RUTs are replaced one-to-one by valid RUTs that nobody has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.portability import Key
from eduguard.portability.exports.rut import HIGHEST, LOWEST, Permutation, RutMap, check_digit, parse

KEY = Key(bytes(range(32)))
PERMUTATION = Permutation.of(KEY)
SIZE = HIGHEST - LOWEST + 1
bodies = st.integers(1_000_000, 99_999_999)


def rut(body: int) -> str:
    return f"{body}-{check_digit(body)}"


@pytest.mark.parametrize("text", ["12345678-5", "12.345.678-5", "123456785", "7654321-6", "10000013-K", "10000013-k"])
def test_a_rut_is_read_in_each_of_its_forms(text: str) -> None:
    assert parse(text) == int(text.replace(".", "").replace("-", "")[:-1])


@pytest.mark.parametrize("text", ["12345678-9", "012345678-5", "12.34.5678-5", "", "x", "12345678", "123456789012-3"])
def test_what_is_not_a_rut_is_not_read_as_one(text: str) -> None:
    assert parse(text) is None


@given(st.sets(st.integers(0, SIZE - 1), min_size=2, max_size=200))
def test_the_permutation_is_one_to_one_and_stays_in_its_range(numbers: set[int]) -> None:
    made = {PERMUTATION(number) for number in numbers}
    assert len(made) == len(numbers)
    assert all(0 <= number < SIZE for number in made)


def test_the_permutation_reaches_every_number_of_a_small_sample_once() -> None:
    """A whole range of neighbouring numbers: cycle walking needs more steps for some than for others."""
    made = [PERMUTATION(number) for number in range(200_000)]
    assert len(set(made)) == len(made)
    assert min(made) < SIZE // 1000
    assert max(made) > SIZE - SIZE // 1000


@given(st.sets(bodies, max_size=60), st.sets(st.integers(LOWEST, HIGHEST), max_size=60), st.sets(bodies, max_size=9))
def test_no_two_ruts_get_the_same_replacement_and_none_is_in_the_source(
    people: set[int], made_up: set[int], folded: set[int]
) -> None:
    # Numbers that differ by the size of the range would get the same replacement.
    source = people | made_up | folded | {body + SIZE for body in folded if body + SIZE <= 99_999_999}
    ruts = [rut(body) for body in source]
    replaced = RutMap(KEY, ruts)
    made = [replaced.replace(text) for text in ruts]
    numbers = [parse(text) for text in made]
    assert len(set(numbers)) == len(source)
    assert all(number is not None and LOWEST <= number <= HIGHEST for number in numbers)
    assert not source & set(numbers)
    assert not source & {parse(replaced.replace(rut(5_000_000))) or 0}


def test_the_order_of_the_source_does_not_matter() -> None:
    ruts = [rut(body) for body in range(9_000_000, 9_003_000)] + [rut(9_000_000 + SIZE + n) for n in range(3_000)]
    one, other = RutMap(KEY, ruts), RutMap(KEY, reversed(ruts))
    assert [one.replace(text) for text in ruts] == [other.replace(text) for text in ruts]


def test_the_form_is_kept_and_what_is_not_a_rut_becomes_one() -> None:
    replaced = RutMap(KEY, ["12345678-5", "12.345.678-5", "nobody"])
    plain, dotted = replaced.replace("12345678-5"), replaced.replace("12.345.678-5")
    assert dotted.replace(".", "") == plain
    assert len(dotted) == len(plain) + 2
    assert replaced.replace("123456785") == plain.replace("-", "")
    assert parse(replaced.replace("nobody")) is not None
