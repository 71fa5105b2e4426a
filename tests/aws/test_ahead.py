import threading
from collections.abc import Iterator

import pytest

from eduguard.aws import ahead


def test_a_value_is_got_while_nobody_waits_for_it() -> None:
    began, go = threading.Event(), threading.Event()

    def get() -> str:
        began.set()
        go.wait(5)
        return "value"

    wait = ahead.begin(get)
    assert began.wait(5)
    go.set()
    assert wait() == "value"


def test_what_getting_raises_is_raised_where_it_is_waited_for() -> None:
    def get() -> str:
        raise LookupError("nothing there")

    wait = ahead.begin(get)
    with pytest.raises(LookupError, match="nothing there"):
        wait()


def test_the_next_item_is_got_while_one_is_in_use() -> None:
    got = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(got):
            event.set()
            yield number

    coming = ahead.one_ahead(items())
    assert got[0].wait(5)  # before anybody asks
    assert not got[1].is_set()
    assert next(coming) == 0
    assert got[1].wait(5)
    assert not got[2].is_set()
    assert list(coming) == [1, 2]


def test_an_error_between_items_comes_after_those_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError("lost")

    coming = ahead.one_ahead(items())
    assert next(coming) == 1
    with pytest.raises(LookupError, match="lost"):
        next(coming)
