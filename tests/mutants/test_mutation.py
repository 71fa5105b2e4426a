"""A seed decides which changes of a module are tried, and the listed functions exist."""

import ast

import pytest

from mutation import Change, find_declarations, find_functions, holds, shuffle
from parts import PARTS, ROOT, Part

SOURCE = """
from dataclasses import dataclass, field
if TYPE_CHECKING:
    import psycopg
@dataclass(frozen=True)
class Row:
    size: int | None = 1 + 1
    def has(self, other: "int | None") -> bool | None:
        return self.size > other
def has(one):
    return one < 2
"""
TREE = ast.parse(SOURCE)


def place(text: str) -> tuple[int, int]:
    before = SOURCE[: SOURCE.index(text)]
    return before.count("\n") + 1, len(before.rpartition("\n")[2])


@pytest.mark.parametrize("text", ["import psycopg", "True", "int | None = 1", '"int | None"', "bool | None"])
def test_what_declares_types_is_left_out(text: str) -> None:
    assert any(holds(each, place(text)) for each in find_declarations(TREE))


@pytest.mark.parametrize("text", ["1 + 1", "> other", "< 2"])
def test_what_runs_is_not_left_out(text: str) -> None:
    assert not any(holds(each, place(text)) for each in find_declarations(TREE))


def test_a_method_is_named_with_its_class() -> None:
    (method,), (function,) = find_functions(TREE, ["Row.has"]), find_functions(TREE, ["has"])
    assert holds(method, place("> other"))
    assert holds(function, place("< 2"))
    assert not holds(function, place("> other"))
    (whole,) = find_functions(TREE, [])
    assert holds(whole, place("from dataclasses"))
    assert holds(whole, place("< 2"))
    with pytest.raises(ValueError, match="no function Row.gone, gone"):
        find_functions(TREE, ["gone", "has", "Row.gone"])


def test_each_place_is_changed_once_before_one_is_changed_twice() -> None:
    changes = [
        Change(span=((line, 0), (line, 1)), operator=f"operator {number}", occurrence=line)
        for line in range(9)
        for number in range(line + 1)
    ]
    shuffled = shuffle(changes, "seed")
    assert len({each.span for each in shuffled[:9]}) == 9
    assert sorted(shuffled) == sorted(changes)
    assert shuffle(changes[::-1], "seed") == shuffled
    assert shuffle(changes, "other seed") != shuffled


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.module)
def test_the_functions_and_tests_of_each_part_are_there(part: Part) -> None:
    assert find_functions(ast.parse((ROOT / "lib" / part.path).read_text()), part.functions)
    assert all((ROOT / test).is_file() for test in part.tests)
