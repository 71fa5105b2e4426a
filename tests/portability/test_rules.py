"""anonymise.yaml is read strictly: an invalid rule is refused with its line."""

import pytest

from eduguard.errors import EduguardError
from eduguard.portability import parse_rules


def test_rules_are_read_with_their_lines() -> None:
    rules = parse_rules(
        "columns:\n  students:\n    id: key\n    language: {constant: es}\n"
        "    profile: {json: {name: text, a.b: keep, '[].day': keep}}\n"
        "rows:\n  sessions: last 30 days by starts_at\n  logs: none\n  students: all\nexempt:\n  teachers: [t-1, '007']\n",
        "anonymise.yaml",
    )
    students = rules.columns["students"]
    assert [(name, rule.name, rule.line) for name, rule in students.items()] == [
        ("id", "key", 3), ("language", "constant", 4), ("profile", "json", 5),
    ]  # fmt: skip
    assert students["language"].constant == "es"
    assert students["profile"].paths == {("name",): "text", ("a", "b"): "keep", ("[]", "day"): "keep"}
    assert {table: (choice.days, choice.column) for table, choice in rules.rows.items()} == {
        "sessions": (30, "starts_at"),
        "logs": (0, ""),
    }
    assert rules.exempt["teachers"].keys == ("t-1", "007")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "r.yaml:1: expected the sections columns, rows, exempt"),
        ("colums: {}", "r.yaml:1: unknown section colums\n  Did you mean columns?"),
        ("columns: [a]", "r.yaml:1: expected one line for each table"),
        ("columns:\n  students: keep", "r.yaml:2: students: expected one `column: rule` a line"),
        (
            "columns:\n  students:\n    id: kep",
            "r.yaml:3: students.id: 'kep' is not a rule\n  Did you mean keep or key?",
        ),
        ("columns:\n  students:\n    id:", "r.yaml:3: students.id: expected a rule"),
        ("columns:\n  students:\n    id: constant", "r.yaml:3: students.id: 'constant' needs a value"),
        ("columns:\n  students:\n    id: {keep: x}", "r.yaml:3: students.id: expected a rule"),
        ("columns:\n  students:\n    id: keep\n    id: key", "r.yaml:4:5: id is given twice"),
        ("columns:\n  s:\n    j: {json: {a..b: keep}}", "r.yaml:3: s.j: 'a..b' is not a path"),
        ("columns:\n  s:\n    j: {json: {a: clear}}", "r.yaml:3: s.j: a: 'clear' is not a rule of a path"),
        ("rows:\n  sessions: some", "r.yaml:2: sessions: 'some' does not choose rows"),
        ("rows:\n  sessions: last 0 days by starts_at", "does not choose rows"),
        ("exempt:\n  teachers: t-1", "r.yaml:2: teachers: expected a list of keys"),
        ("columns: &a {}", "r.yaml:1:10: anchors and tags are not allowed"),
    ],
)
def test_what_is_not_a_rule_is_refused(text: str, said: str) -> None:
    with pytest.raises(EduguardError) as refused:
        parse_rules(text, "r.yaml")
    assert said in str(refused.value)


def test_an_empty_file_has_no_rules() -> None:
    assert parse_rules("# nothing yet\n", "r.yaml").columns == {}
