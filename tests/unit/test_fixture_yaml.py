"""Fixtures are read strictly, as text, each value with its line."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eduguard.errors import EduguardError
from eduguard.fixture_yaml import Plain, parse_rows


def values(text: str) -> list[dict[str, object]]:
    return [row.values for row in parse_rows(text, "t.yaml")]


def test_what_stands_in_the_file_stays_text() -> None:
    text = "- {a: no, b: 007, c: 1.10, d: 12:30, e: 2020-01-02, f: 1_000, g: yes, h: +569, i: '', j: \"x\"}"
    assert values(text) == [
        {
            "a": "no",
            "b": "007",
            "c": "1.10",
            "d": "12:30",
            "e": "2020-01-02",
            "f": "1_000",
            "g": "yes",
            "h": "+569",
            "i": "",
            "j": "x",
        }
    ]


def test_only_null_a_tilde_and_nothing_are_null() -> None:
    assert values("- {a: null, b: ~, c: , d: 'null', e: NULL, f: none}") == [
        {"a": None, "b": None, "c": None, "d": "null", "e": None, "f": "none"}
    ]


def test_plain_and_quoted_text_are_told_apart() -> None:
    row = values("- {a: 5, b: '5'}")[0]
    assert isinstance(row["a"], Plain)
    assert not isinstance(row["b"], Plain)


def test_nested_values_are_kept() -> None:
    assert values("- a: [1, {b: c}]\n  d: {e: [f]}") == [{"a": ["1", {"b": "c"}], "d": {"e": ["f"]}}]


def test_each_value_knows_its_line() -> None:
    rows = parse_rows("# school\n- id: a\n  name: b\n\n- id: c\n  x:\n    y: 1\n  z: 2\n", "t.yaml")
    assert [row.line for row in rows] == [2, 5]
    assert [rows[1].line_of(column) for column in ("id", "x", "z", "absent")] == [5, 6, 8, 5]


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "[]", "---\n"])
def test_an_empty_fixture_has_no_rows(text: str) -> None:
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- id: 1\n  id: 2\n", "t.yaml:2:3: id stands twice in this row"),
        ("- &a {id: 1}\n- *a\n", "t.yaml:1:3: anchors and tags are not allowed in fixtures"),
        ("- id: *a\n", "t.yaml:1:7: aliases are not allowed in fixtures"),
        ("- id: !!python/object:os.system x\n", "t.yaml:1:7: anchors and tags are not allowed in fixtures"),
        ("- {<<: {a: 1}}\n", "t.yaml:1:4: '<<' is no column's name"),
        ("- {[a]: 1}\n", "t.yaml:1:4: a key must be text"),
        ("- id: 1\n---\n- id: 2\n", "t.yaml:2:1: a fixture is one YAML document"),
        ("students:\n  - id: 1\n", "t.yaml:1: a fixture is a list of rows"),
        ("- just text\n", "t.yaml: row 1 is not a mapping of columns to values"),
        ("- id: [1\n", "t.yaml:2:1: did not find expected ',' or ']'"),
        ('- id: "a\\0b"\n', "t.yaml:1:7: PostgreSQL text cannot hold the character NUL"),
        ("- id: " + "[" * 100_000, "t.yaml:1:37: nested deeper than 32 levels"),
    ],
    ids=[
        "key twice", "anchor", "alias", "tag", "merge key", "list as key", "two documents", "mapping on top", "text as row",
        "not YAML", "NUL", "depth bomb",
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(EduguardError) as raised:
        parse_rows(text, "t.yaml")
    assert raised.value.message == problem


@given(st.text(alphabet=st.sampled_from("-:[]{}&*!|>'\"\\%@`#?, \n\tab1~<\ufeff\u2028é")))
@example("- {a: 1}\n" * 3)
@example("\x00")
@example("- a: \x07")
@example("%YAML 3.0\n---\n")
def test_any_text_is_read_or_refused_with_one_error(text: str) -> None:
    try:
        rows = parse_rows(text, "t.yaml")
    except EduguardError as error:
        assert error.message.startswith("t.yaml")
    else:
        assert all(isinstance(row.values, dict) for row in rows)
