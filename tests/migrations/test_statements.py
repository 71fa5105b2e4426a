"""Statements end where PostgreSQL says they end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.migrations.statements import split_statements


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ; ;\n-- nothing;\n/* ; */", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("-- a;\nSELECT 1 -- b;\n;/* c; /* d; */ e; */ SELECT 2;", ["SELECT 1 -- b;", "SELECT 2"]),
        ("SELECT 'a;''b;' || E'c\\';d' || \"e;\"\"f;\"; SELECT 2", ["SELECT 'a;''b;' || E'c\\';d' || \"e;\"\"f;\"", "SELECT 2"]),
        ("DO $$ BEGIN; END; $$; DO $a$ $$; $b$; $a$", ["DO $$ BEGIN; END; $$", "DO $a$ $$; $b$; $a$"]),
        ("SELECT a$b$c; SELECT $1", ["SELECT a$b$c", "SELECT $1"]),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
         ["CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3"]),
        ("SELECT 'never closed; SELECT 2;", ["SELECT 'never closed; SELECT 2;"]),
        ("/* never closed; SELECT 2;", []),
        ("/**/SELECT 1; /*/**/*/ SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 /*;*/ + 1; SELECT (1; 2); SELECT 3)", ["SELECT 1 /*;*/ + 1", "SELECT (1; 2)", "SELECT 3)"]),
        ("SELECT 1); SELECT (2", ["SELECT 1)", "SELECT (2"]),
        ("CREATE FUNCTION f() begin /* ; */ atomic SELECT 1; end; SELECT 3",
         ["CREATE FUNCTION f() begin /* ; */ atomic SELECT 1; end", "SELECT 3"]),
        ("BEGIN; SELECT CASE WHEN a THEN 1 END; END; SELECT 1",
         ["BEGIN", "SELECT CASE WHEN a THEN 1 END", "END", "SELECT 1"]),
    ],
)  # fmt: skip
def test_statements_are_told_apart(text: str, statements: list[str]) -> None:
    assert [statement.text for statement in split_statements(text)] == statements


@given(st.text("aE'\"$;-/*\\ \nBEGIN ATOMIC CASE END"))
def test_every_statement_is_where_it_says(text: str) -> None:
    found = split_statements(text)
    assert all(text.startswith(each.text, each.start) and each.text.strip() for each in found)
    assert [each.start for each in found] == sorted({each.start for each in found})


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("create  index\n concurrently i on t (a)", "CREATE INDEX CONCURRENTLY I ON T (A)"),
        ("ALTER /* a /* b */ c */ TABLE -- d\n t", "ALTER TABLE T"),
        ("COMMENT ON TABLE \"vacuum\" IS 'it''s'", "COMMENT ON TABLE IS"),
        ("DO $$ commit; $$", "DO"),
        ("END CASE", "END CASE"),
        ("VACUUM /* never closed", "VACUUM"),
        ("ab" + " c" * 3000, "AB" + " C" * 1999),
    ],
)
def test_the_head_of_a_statement_says_what_it_does_without_comments_and_quotes(text: str, head: str) -> None:
    (statement,) = split_statements(text)
    assert statement.head == head
