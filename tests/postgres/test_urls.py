"""Errors about a database URL say what is wrong without its password."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eduguard.errors import EduguardError
from eduguard.postgres import Database
from eduguard.postgres.urls import read_url

ENCODE = "Percent-encode these characters"


def refusal(url: str) -> str:
    with pytest.raises(EduguardError) as raised:
        Database.from_url(url)
    return str(raised.value)


@pytest.mark.parametrize(
    ("url", "part", "way_out"),
    [
        ("postgresql://u:Secr3t@h/d?schema=public", "the parameter schema", "search_path"),
        ("postgresql://u:Secr3t@h/d?sslmode=require&pgbouncer=true", "the parameter pgbouncer", "Remove"),
        ("postgresql://u:Secr3t@h/d?a=1&b=2", "the parameter a and the parameter b", "Remove"),
        ("postgresql://u:Secr3t@h/d?pool", "the parameter pool", "Remove"),
        ("postgresql+psycopg2://u:Secr3t@h/d", "postgresql+psycopg2:", "Write postgresql://"),
        ("postgres+asyncpg://u:Secr3t@h/d", "postgres+asyncpg:", "Write postgresql://"),
        ("jdbc:postgresql://h/d?user=u&password=Secr3t", "jdbc:postgresql:", "Remove `jdbc:`"),
        ("Postgres://u:Secr3t@h/d", "Postgres:", "Write postgresql://"),
        ("mysql://u:Secr3t@h/d", "does not begin with postgresql://", "postgresql://user@host:5432/name"),
        ("DATABASE_URL=postgresql://u:Secr3t@h/d", "does not begin with postgresql://", "user@host"),
        ("u:Secr3t@h:5999/d", "does not begin with postgresql://", "user@host"),
        ('"postgresql://u:Secr3t@h/d"', "a quotation mark", "Remove"),
        ("'postgresql://u:Secr3t@h/d'", "a quotation mark", "Remove"),
        (" postgresql://u:Secr3t@h/d", "begins or ends with a space", "Remove"),
        ("postgresql://u:Secr3t@h/d ", "begins or ends with a space", "Remove"),
        ("postgresql://u:Secr3t @h/d", "a space inside", ENCODE),
        ("postgresql://u:Secr3t%@h/d", "a % that is not followed by", "% is %25"),
        ("postgresql://u:Secr3t@Secr3t@h:5999/d", "an @, / or ?", ENCODE),
        ("postgresql://u:Secr3t/Secr3t@h:5999/d", "an @, / or ?", ENCODE),
        ("postgresql://u:Secr3t?Secr3t@h:5999/d", "an @, / or ?", ENCODE),
        ("postgresql://u:12345/Secr3t@h:5999/d", "an @, / or ?", ENCODE),
        ("postgresql://u:Secr3t", "port", "@ and the host"),
        ("postgresql://u:123456/d", "port", "@ and the host"),
        ("host=h dbname=d port=Secr3t", "port", "@ and the host"),
        ("host=h dbname=d password=a Secr3t", "cannot be read", "postgresql://user@host"),
        ("postgresql://h/d?user=a&password=x&Secr3t", "parameter 3", "Remove"),
        ("postgresql:///d?host=h&passwd=Secr3t", "the parameter passwd", "Remove"),
        ("postgresql:///d?host=h&passwd=x&Secr3t=1", "the parameter passwd and parameter 3", "Remove"),
    ],
)
def test_the_wrong_part_is_named_with_the_way_out(url: str, part: str, way_out: str) -> None:
    said = refusal(url)
    assert part in said
    assert way_out in said
    assert "Secr3t" not in said


@given(st.text(alphabet="ab1@/?:#%&=[]+,; '\"\\", max_size=8))
@example("")
@example("%41")
@example("@")
@example("5432/d?")
def test_a_password_is_taken_whole_or_refused_without_a_character_of_it(middle: str) -> None:
    password = f"Secr{middle}tZ9"
    try:
        parameters = read_url(f"postgresql://school:{password}@db.example.org:5999/school")
    except EduguardError as error:
        assert not re.search("Secr|tZ9", str(error))
        return
    told = {key: value for key, value in parameters.items() if key != "password"}
    assert told == {"user": "school", "host": "db.example.org", "port": "5999", "dbname": "school"}
    assert parameters["password"] == unquote(password)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:1,h2:65535/d",
        "postgres://u@[::1]:5432/d?sslmode=require&ssl=true",
        "postgresql:///d?host=%2Frun%2Fpg",
        "postgresql:///d?host=/run/pg&user=a%40b",
        "host=/run/pg dbname=d",
        "service=school dbname=d",
    ],
)
def test_what_libpq_takes_is_taken(url: str) -> None:
    assert Database.from_url(url).name == "d"
