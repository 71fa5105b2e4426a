import threading
from collections.abc import Iterator

import pytest

from eduguard.aws.listing import one_ahead


def test_the_next_item_is_got_while_one_is_in_use() -> None:
    got = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(got):
            event.set()
            yield number

    coming = one_ahead(items())
    assert got[0].wait(5)  # before anybody asks for it
    assert not got[1].is_set()
    assert next(coming) == 0
    assert got[1].wait(5)
    assert not got[2].is_set()
    assert list(coming) == [1, 2]


def test_an_error_between_items_comes_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("lost")

    coming = one_ahead(items())
    assert next(coming) == 1
    with pytest.raises(LookupError, match="lost"):
        next(coming)
