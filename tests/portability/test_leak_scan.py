"""The leak scan finds original values wherever they are, and does not use the rules."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, sql

from eduguard import portability
from eduguard.portability.exports.leak_scan import Original, Output, Report, Scan
from eduguard.portability.exports.schema import Column, read_schema
from eduguard.portability.exports.spelling import fold
from eduguard.postgres import Database, connect

Search = Callable[..., Report]
CANARY = "Ñandú Verdejo"
ROW = f'(1,"{CANARY}")'


@pytest.fixture
def conn(empty_database: Database) -> Iterator[Connection]:
    with connect(empty_database, purpose="tests") as opened:
        yield opened


@pytest.fixture
def search(conn: Connection, tmp_path: Path) -> Search:
    """Look for the values of the column `hidden` of a table in one output column of a type."""

    def run(
        type_: str, hidden: Sequence[str], output: Sequence[str], *, kept: Sequence[str] = (), output_type: str = "text"
    ) -> Report:
        conn.execute("DROP TABLE IF EXISTS source CASCADE")
        conn.execute(f"CREATE TABLE source (hidden {type_}, kept text, output {output_type})".encode())
        for value in hidden:
            conn.execute("INSERT INTO source (hidden) VALUES (%s)", [value])
        for value in kept:
            conn.execute("INSERT INTO source (kept) VALUES (%s)", [value])
        table = read_schema(conn)["source"]
        written = io.StringIO()
        csv.writer(written).writerows([["output"], *([value] for value in output)])
        (tmp_path / "output.csv").write_text(written.getvalue())
        scan = Scan([Output(path=tmp_path / "output.csv", columns=[table.columns["output"]])], own=["placeholder"])
        everything = sql.SQL("true")
        return scan.search(
            conn,
            [
                Original(table=table, column=table.columns["hidden"], is_kept=False, among=everything),
                Original(table=table, column=table.columns["kept"], is_kept=True, among=everything),
            ],
        )

    return run


@pytest.mark.parametrize(
    ("type_", "hidden"),
    [
        ("text", CANARY),
        ("varchar(40)", CANARY),
        ("char(20)", CANARY),
        ("citext", CANARY),
        ("text[]", "{one," + f'"{CANARY}"' + "}"),
        ("jsonb", json.dumps({"a": [{"b": CANARY}]})),
        ("jsonb", json.dumps({CANARY: 1})),
        ("json", json.dumps({"a": CANARY})),
        ("bytea", "\\x" + CANARY.encode().hex()),
        ("pair[]", "{" + json.dumps(ROW, ensure_ascii=False) + "}"),
        ("tsvector", "ñandú:1 verdejo:2"),
        ("pair", ROW),
        ("name", CANARY),
    ],
    ids=lambda value: value if value.isidentifier() else "",
)
def test_a_value_of_any_type_is_found_in_a_text(conn: Connection, search: Search, type_: str, hidden: str) -> None:
    conn.execute("CREATE EXTENSION citext; CREATE TYPE pair AS (n int, t text)")
    said = "hoy faltó ÑANDU   verdejo, otra vez"
    assert search(type_, [hidden], [said]).found.keys() == {"source.hidden"}
    assert search(type_, [hidden], ["hoy no faltó nadie"]).found == {}


@pytest.mark.parametrize(
    ("type_", "output"),
    [
        ("jsonb", json.dumps({"note": [CANARY]})),
        ("jsonb", json.dumps({CANARY: 1})),
        ("json", '{"note": "\\u00d1and\\u00fa Verdejo"}'),
        ("text[]", "{a," + f'"{CANARY}"' + "}"),
        ("bytea", "\\x" + CANARY.encode().hex()),
        ("citext", "nandu verdejo"),
    ],
)
def test_a_value_is_found_in_an_output_of_any_type(conn: Connection, search: Search, type_: str, output: str) -> None:
    conn.execute("CREATE EXTENSION citext")
    assert search("text", [CANARY], [output], output_type=type_).found.keys() == {"source.hidden"}


@pytest.mark.parametrize(
    ("hidden", "output", "is_found"),
    [
        ("12345678-5", "su RUT es 12.345.678-5.", True),
        ("12.345.678-5", "123456785", True),
        ("10000013-K", "10000013-k", True),
        ("12345678-5", "12345679-3", False),
        ("+56912345678", "llamar al 9 1234 5678", True),
        ("+56912345678", "+56 9 1234-5678", True),
        ("+56912345678", "+56012345678901", False),
        ("ana.soto@x.cl", "escribir a Ana.Soto@X.cl, hoy", True),
        ("ana.soto@x.cl", "soto.ana@x.cl", True),  # by its words
        ("Sol", "Sol", False),  # three characters
        ("placeholder", "placeholder", False),  # we write this value ourselves
        ("student-001", "pupil-0011", False),
        ("student-001", "students/student-001/photo-1.jpg", True),
        ("0b7e8f1c-9d3a-4a55-8f0e-2b1c3d4e5f60", "0B7E8F1C-9D3A-4A55-8F0E-2B1C3D4E5F60", True),
    ],
)
def test_what_counts(search: Search, hidden: str, output: str, is_found: bool) -> None:
    assert bool(search("text", [hidden], [output]).found) == is_found


def test_a_word_that_a_kept_column_has_too_is_counted_only(search: Search) -> None:
    report = search("text", ["Gabriela Soto"], ["Escuela Gabriela Mistral"], kept=["Escuela Gabriela Mistral"])
    assert (report.found, report.kept_words) == ({}, 1)
    assert search("text", ["Gabriela Soto"], ["Escuela Gabriela Mistral"]).found == {"source.hidden": 1}


def test_a_whole_value_counts_even_where_a_kept_column_has_it(search: Search) -> None:
    report = search("text", ["Gabriela Mistral"], ["Escuela Gabriela Mistral"], kept=["Escuela Gabriela Mistral"])
    assert report.found == {"source.hidden": 1}


def test_more_suspects_than_are_remembered_are_all_found(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eduguard.portability.exports.leak_scan._MOST_SUSPECTS", 3)
    values = [f"value {n}" for n in range(20)]
    assert search("text", values, [*values, "more"]).found == {"source.hidden": 20 + 1}  # and the word `value`


@pytest.mark.parametrize("size", [1, 7, 64])
def test_values_that_lie_across_blocks_are_found(search: Search, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("eduguard.portability.exports.leak_scan._BLOCK", size)
    output = ['one,\n"two"', "", "Ana\nSoto, 12.345.678-5", f"{CANARY}\n", "x" * 200]
    assert search("text", ["Ana Soto", "12345678-5", CANARY], output).found == {"source.hidden": 6}  # and three words
    assert search("text", ["Ana Sota", "12345678-7"], output).found == {}


def test_every_column_that_has_a_word_is_named(conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE a (one text, two text); INSERT INTO a VALUES ('Zoraida Soto', 'Zoraida Rey')")
    conn.execute("CREATE TABLE b (one text); INSERT INTO b VALUES ('Zoraida Paz')")
    tables = read_schema(conn)
    (tmp_path / "output.csv").write_text("output\nZoraida\n")
    scan = Scan([Output(path=tmp_path / "output.csv", columns=[tables["b"].columns["one"]])])
    originals = [
        Original(table=table, column=column, is_kept=False, among=sql.SQL("true"))
        for table in tables.values()
        for column in table.columns.values()
    ]
    assert scan.search(conn, originals).found == {"a.one": 1, "a.two": 1, "b.one": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    hidden=st.text(
        st.characters(codec="utf-8", exclude_characters="\0", categories=["L", "N"]), min_size=5, max_size=20
    ),
    before=st.text(st.sampled_from("ab ,;'\"\\\n{}"), max_size=10),
    shout=st.booleans(),
)
def test_a_value_is_found_whatever_is_around_it(search: Search, hidden: str, before: str, shout: bool) -> None:
    shout = shout and fold(hidden.upper()) == fold(
        hidden
    )  # this fails for a dotless i, whose capital is the same as that of i
    said = f"{before} {hidden.upper() if shout else hidden}"
    words = re.findall(r"[^\W_]+", hidden)
    if words != [hidden] or len(hidden) > 20:
        return
    report = search("text", [f"{hidden} y {hidden}"], [f"{said} y {hidden} fin"])
    assert report.found.keys() == {"source.hidden"}


def test_our_columns_that_hold_nobodys_name_are_passed_over() -> None:
    from eduguard.portability.exports.fields import is_textual

    def column(category: str) -> Column:
        return Column(
            name="c", type="t", base="t", category=category, is_required=False, is_generated=False, length=None
        )

    assert [category for category in "ABCDEGINSTUX" if is_textual(column(category))] == list("ACISUX")
    assert portability.__doc__
