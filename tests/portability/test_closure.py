"""Which rows are exported: the chosen ones, the rows that belong to them, and the rows that any of these reference."""

from collections.abc import Callable, Iterator

import pytest
from psycopg import Connection

from eduguard import portability
from eduguard.errors import EduguardError
from eduguard.portability import Scope
from eduguard.postgres import Database, connect

Count = Callable[..., dict[str, int]]
TABLES = """
CREATE TABLE schools (id text PRIMARY KEY);
CREATE TABLE mentors (id int PRIMARY KEY, boss int REFERENCES mentors, at date);
CREATE TABLE students (id text PRIMARY KEY, school_id text REFERENCES schools, mentor int REFERENCES mentors, grade_id text);
CREATE TABLE clubs (school text REFERENCES schools, name text, at date, PRIMARY KEY (school, name));
CREATE TABLE members (student text REFERENCES students, school text, club text, FOREIGN KEY (school, club) REFERENCES clubs);
CREATE TABLE papers (id int PRIMARY KEY, student text REFERENCES students, after int REFERENCES papers);
CREATE TABLE pages (paper int REFERENCES papers, body text);
CREATE TABLE logs (line text);
INSERT INTO schools VALUES ('one'), ('two');
INSERT INTO mentors VALUES (1, NULL, '2000-01-01'), (2, 1, now()), (3, 2, now()), (4, 2, now());
INSERT INTO students VALUES ('a', 'one', 3, 'g'), ('b', 'one', NULL, 'g'), ('c', 'two', 4, 'h');
INSERT INTO clubs VALUES ('one', 'chess', now()), ('one', 'judo', '2000-01-01'), ('two', 'chess', now());
INSERT INTO members VALUES ('a', 'one', 'chess'), ('a', 'two', NULL), ('b', 'one', 'judo'), ('c', 'two', 'chess');
INSERT INTO papers VALUES (1, 'b', NULL), (2, 'a', 1), (3, NULL, 2), (4, 'c', NULL);
INSERT INTO pages VALUES (2, 'x'), (3, 'y'), (1, 'of b'), (4, 'of c');
INSERT INTO logs VALUES ('x');
"""


@pytest.fixture
def conn(empty_database: Database) -> Iterator[Connection]:
    with connect(empty_database, purpose="tests") as opened:
        opened.execute(TABLES)
        yield opened


@pytest.fixture
def count(conn: Connection) -> Count:
    def run(scope: Scope, rules: str = "") -> dict[str, int]:
        coverage = portability.cover(conn, portability.read_schema(conn), portability.parse_rules(rules, "r.yaml"))
        with portability.one_snapshot(conn):
            return portability.count_rows(conn, coverage, scope)[1]

    return run


def test_what_belongs_to_a_student_and_what_that_names(count: Count) -> None:
    # Paper 3 comes after a paper of the student's, and page y belongs to it; paper 1, of another student, is only
    # named: it comes with that student, and without its pages.
    assert count(Scope(students=("a",))) == {
        "schools": 1, "mentors": 3, "students": 2, "clubs": 1, "members": 2, "papers": 3, "pages": 2, "logs": 0,
    }  # fmt: skip


def test_a_school(count: Count) -> None:
    assert count(Scope(school="two")) == {
        "schools": 1, "mentors": 3, "students": 1, "clubs": 1, "members": 1, "papers": 1, "pages": 1, "logs": 0,
    }  # fmt: skip


def test_all_rows(count: Count) -> None:
    assert count(Scope()) == {
        "schools": 2, "mentors": 4, "students": 3, "clubs": 3, "members": 4, "papers": 4, "pages": 4, "logs": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("rows", "clubs", "members"), [("last 30 days by at", 2, 3), ("none", 0, 1), ("all", 3, 4)])
def test_a_row_that_names_one_that_does_not_leave_does_not_leave_either(
    count: Count, rows: str, clubs: int, members: int
) -> None:
    found = count(Scope(), f"rows:\n  clubs: {rows}\n")
    assert (found["clubs"], found["members"], found["students"]) == (clubs, members, 3)


def test_rows_that_name_each_other_leave_all_or_none(count: Count) -> None:
    with pytest.raises(EduguardError, match="Rows of mentors name each other"):
        count(Scope(), "rows:\n  mentors: last 30 days by at\n")


def test_nothing_can_be_written_meanwhile(conn: Connection) -> None:
    from psycopg import errors

    with pytest.raises(errors.ReadOnlySqlTransaction), portability.one_snapshot(conn):
        conn.execute("DELETE FROM logs")


def test_tables_in_a_circle_are_refused_by_name(conn: Connection) -> None:
    from eduguard.portability.exports.schema import order_tables

    conn.execute("ALTER TABLE schools ADD COLUMN best text REFERENCES students")
    with pytest.raises(EduguardError, match="in a circle: "):
        order_tables(portability.read_schema(conn))


def test_an_order_of_tables_is_one_order(conn: Connection) -> None:
    from eduguard.portability.exports.schema import order_tables

    assert order_tables(portability.read_schema(conn)) == [
        "logs", "mentors", "schools", "clubs", "students", "members", "papers", "pages",
    ]  # fmt: skip
