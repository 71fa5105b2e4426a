"""Every column of the newest schema has a rule, and rules that cannot work are refused."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eduguard import portability
from eduguard.portability import Coverage
from eduguard.postgres import Database, connect

ROOT = Path(__file__).parents[2]
Inv = Callable[..., subprocess.CompletedProcess[str]]
Cover = Callable[..., Coverage]


@pytest.fixture
def cover(empty_database: Database) -> Iterator[Cover]:
    """Compare rules with the tables that this SQL makes."""
    with connect(empty_database, purpose="tests") as conn:

        def run(ddl: str, rules: str) -> Coverage:
            conn.execute(ddl.encode())
            return portability.cover(conn, portability.read_schema(conn), portability.parse_rules(rules, "r.yaml"))

        yield run


def test_every_column_of_the_newest_schema_has_a_rule(seeded: Database) -> None:
    """When this fails, a migration has added a column: `inv anonymise check` prints the line to add."""
    with connect(seeded, purpose="tests") as conn:
        found = portability.cover(conn, portability.read_schema(conn), portability.read_rules(ROOT / "anonymise.yaml"))
    assert (found.problems, found.remarks(ROOT / "migrations")) == ((), [])


def test_check_says_that_all_have_a_rule(inv: Inv, school: Database) -> None:
    page = (ROOT / "docs" / "portability.md").read_text()
    assert inv("anonymise", "check").stdout in page


def test_check_names_the_line_that_a_column_without_a_rule_needs(inv: Inv, school: Database, tmp_path: Path) -> None:
    rules = re.sub(r"^    (phone|school_year): .*\n", "", (ROOT / "anonymise.yaml").read_text(), flags=re.MULTILINE)
    (tmp_path / "rules.yaml").write_text(rules.replace("capacity:", "capaciti:"))
    done = inv("anonymise", "check", check=False, INVOKE_ANONYMISE_FILE=str(tmp_path / "rules.yaml"))
    assert done.returncode == 2
    line = rules[: rules.index("capacity")].count("\n") + 1
    assert done.stdout.splitlines() == [
        "anonymise  14 tables, 80 columns: 31 personal, 46 kept, 3 without a rule",
        "anonymise  ! classes.school_year integer (migration 0001): add to rules.yaml, under columns, classes:  school_year: keep",
        "anonymise  ! classrooms.capacity integer (migration 0001): add to rules.yaml, under columns, classrooms:  capacity: keep",
        "anonymise  ! legal_guardians.phone text (migration 0000): add to rules.yaml, under columns, legal_guardians:  phone: phone",
        f"anonymise  ! rules.yaml:{line}: classrooms has no column capaciti. Did you mean capacity? Else remove the line.",
    ]


def test_check_fails_on_a_rule_that_cannot_be_followed(inv: Inv, school: Database, tmp_path: Path) -> None:
    rules = (ROOT / "anonymise.yaml").read_text().replace("    capacity: keep", "    capacity: clear")
    (tmp_path / "rules.yaml").write_text(rules)
    done = inv("anonymise", "check", check=False, INVOKE_ANONYMISE_FILE=str(tmp_path / "rules.yaml"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "classrooms.capacity: `clear` cannot be: the column is NOT NULL" in done.stderr


@pytest.mark.parametrize(
    ("columns", "rule", "said"),
    [
        ("v text NOT NULL", "clear", "r.yaml:4: t.v: `clear` cannot be: the column is NOT NULL"),
        ("v d", "clear", "t.v: `clear` cannot be"),
        ("v text UNIQUE", "first_name", "r.yaml:4: t.v: `first_name` can make two values equal, and t_v_key is unique"),
        ("v text UNIQUE", "{constant: x}", "`constant` can make two values equal"),
        ("v text, w text, UNIQUE (w, v)", "text", "`text` can make two values equal"),
        ("v text, EXCLUDE USING btree (v WITH =)", "phone", "`phone` can make two values equal"),
        ("v int", "rut", "`rut` is for a text, not for integer"),
        ("v text[]", "text", "`text` is for a text, not for text[]"),
        ("v text", "date", "`date` is for a date, not for text"),
        ("v text", "{json: {a: keep}}", "`json` is for a JSON document, not for text"),
        ("v int", "{constant: x}", "the constant is not a value of integer: invalid input syntax"),
        ("v varchar(8)", "rut", "`rut` makes up to 10 characters, and character varying(8) takes fewer"),
        ("v int REFERENCES p", "keep", "t.v: it names a row of p and follows the rule there: remove the line"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(cover: Cover, columns: str, rule: str, said: str) -> None:
    ddl = f"CREATE DOMAIN d AS text NOT NULL; CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t ({columns})"
    found = cover(
        ddl, f"columns:\n  p: {{id: keep}}\n  t:\n    v: {rule}\n" + ("    w: keep\n" if " w " in columns else "")
    )
    assert len(found.problems) == 1
    assert said in found.problems[0]


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ("v text UNIQUE", "clear"),
        ("v text UNIQUE", "email"),
        ("v uuid UNIQUE", "uuid"),
        ("v citext_like UNIQUE", "key"),
        ("v int REFERENCES p", "clear"),
        ("v varchar(10)", "rut"),
        ("v timestamptz", "date"),
        ("v int[]", "{constant: '{}'}"),
    ],
)
def test_a_rule_that_can_be_followed_is_not_refused(cover: Cover, columns: str, rule: str) -> None:
    ddl = f"CREATE DOMAIN citext_like AS text; CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t ({columns})"
    found = cover(ddl, f"columns:\n  p: {{id: keep}}\n  t:\n    v: {rule}\n")
    assert (found.problems, found.missing, found.stale) == ((), (), ())


@pytest.mark.parametrize(("predicate", "problems"), [("v <> 'gone'", 0), ("v <> 'x'", 1), ("w > 1", 1)])
def test_a_constant_may_stay_out_of_a_partial_unique_index(cover: Cover, predicate: str, problems: int) -> None:
    ddl = f"CREATE TABLE t (v text, w int); CREATE UNIQUE INDEX ON t (v) WHERE {predicate}"
    found = cover(ddl, "columns:\n  t:\n    v: {constant: gone}\n    w: keep\n")
    assert len(found.problems) == problems


def test_every_schema_counts_and_partitions_and_generated_columns_do_not(cover: Cover) -> None:
    found = cover(
        "CREATE SCHEMA library; CREATE TABLE library.loans (book text, due date);"
        "CREATE TABLE logs (at date, line text, size int GENERATED ALWAYS AS (length(line)) STORED) PARTITION BY RANGE (at);"
        "CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
        "CREATE VIEW seen AS SELECT * FROM logs; CREATE TEMPORARY TABLE passing (x int)",
        "columns:\n  logs:\n    at: keep\n    size: keep\n  gone:\n    x: keep\nrows:\n  away: none\n",
    )
    assert [(table.name, column.name) for table, column in found.missing] == [
        ("logs", "line"), ("library.loans", "book"), ("library.loans", "due"),
    ]  # fmt: skip
    assert found.stale == (
        "r.yaml:4: logs.size is generated from other columns: remove the line",
        "r.yaml:5: there is no table gone: remove it from anonymise.yaml",
        "r.yaml:8: there is no table away: remove the line",
    )


def test_a_foreign_key_follows_the_column_that_it_names_over_other_tables(cover: Cover) -> None:
    found = cover(
        "CREATE TABLE a (id text PRIMARY KEY); CREATE TABLE b (id text PRIMARY KEY REFERENCES a);"
        "CREATE TABLE c (b_id text REFERENCES b, boss text REFERENCES a)",
        "columns:\n  a:\n    id: key\n",
    )
    assert found.decided["c"]["b_id"].name == found.decided["c"]["boss"].name == "key"
    assert found.summary() == "3 tables, 4 columns: 4 personal, 0 kept, all have a rule"


@pytest.mark.parametrize("rows", ["last 3 days by v", "last 3 days by at_all"])
def test_rows_are_chosen_by_a_column_of_dates(cover: Cover, rows: str) -> None:
    found = cover("CREATE TABLE t (v text)", f"columns:\n  t:\n    v: keep\nrows:\n  t: {rows}\n")
    assert "is not a column of dates" in found.problems[0]


def test_rows_are_exempt_by_a_key_of_one_column(cover: Cover) -> None:
    found = cover("CREATE TABLE t (v text)", "columns:\n  t:\n    v: keep\nexempt:\n  t: [a]\n")
    assert found.problems == ("r.yaml:5: t has no primary key of one column, so no row can be exempt",)
