"""Made-up values depend on the key and are the same on every machine; another key gives others; none is in the source."""

import json
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.errors import EduguardError
from eduguard.portability import Key
from eduguard.portability.exports.fakes import POOL_WORD, Fakes, Source
from eduguard.portability.exports.rut import RutMap

KEY = Key(bytes(range(32)))
RULES = ("first_name", "last_name", "rut", "email", "phone", "address", "date", "text", "uuid", "photo")


def fakes(
    key: Key = KEY, *, words: Sequence[str] = (), phones: Sequence[str] = (), exempt: Sequence[str] = ()
) -> Fakes:
    return Fakes(
        key,
        Source(
            words=frozenset(words),
            phones=frozenset(phones),
            ruts=RutMap(key, ["12345678-5", "7654321-6"]),
            exempt={"students": frozenset(exempt)},
        ),
    )


FAKES = fakes()
GOLDEN = {
    "first_name": ("María José", "Fegelur"),
    "last_name": ("Pérez Soto", "Logotir Biminul"),
    "rut": ("12345678-5", "42690410-1"),
    "email": ("maria@example.com", "p20451952370034110393@example.invalid"),
    "phone": ("+56912345678", "+56032917947280"),
    "address": ("Calle Larga 12", "Vusitin Girapal 732"),
    "date": ("2012-05-17", "2012-09-17"),
    "text": ("es alérgica al maní", "Sugomun nirufir vegubin pabider"),
    "uuid": ("0b7e8f1c-9d3a-4a55-8f0e-2b1c3d4e5f60", "95261738-8743-8864-8208-324277092894"),
    "photo": ("students/student-001/photo-2.jpg", "students/k91218349818195407972/photo-2.jpg"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_value_is_the_same_on_every_machine(rule: str) -> None:
    """These values were recorded once; if any changes, exports with one key differ."""
    value, made = GOLDEN[rule]
    assert fakes().of(rule)(value) == made


def test_a_key_is_the_same_on_every_machine() -> None:
    assert fakes().key_of("students", "id")("student-001") == "k91218349818195407972"
    assert KEY.fingerprint == "992d880cc61b9d52"


@pytest.mark.parametrize("rule", RULES)
def test_another_key_makes_other_values(rule: str) -> None:
    one, other = fakes().of(rule), fakes(Key(bytes(32))).of(rule)
    values = {
        "rut": ["12345678-5", "7654321-6"],
        "date": [f"20{year:02}-05-{day:02}" for year in range(10, 20) for day in range(1, 29)],
        "photo": [f"students/student-{n}/photo-1.jpg" for n in range(2000)],
    }.get(rule, [f"value {n}" for n in range(2000)])
    equal = sum(one(value) == other(value) for value in values)
    assert equal <= (len(values) / 100 if rule == "date" else len(values) / 1000)


def test_spellings_of_one_address_stay_one_address() -> None:
    made = fakes().of("email")
    assert made("Ana@X.cl") == made("ana@x.cl") != made("anna@x.cl")


@given(st.text(min_size=1))
def test_made_up_values_have_their_forms(value: str) -> None:
    made = FAKES
    assert re.fullmatch(r"p\d{20}@example\.invalid", made.of("email")(value))
    assert re.fullmatch(r"\+560\d{11}", made.of("phone")(value))
    assert re.fullmatch(r"\d{8}-\d{4}-8\d{3}-8\d{3}-\d{12}", made.of("uuid")(value))
    assert re.fullmatch(r"[A-Z][a-z]{6}", made.of("first_name")(value))
    assert re.fullmatch(r"[A-Z][a-z]{6} [A-Z][a-z]{6}", made.of("last_name")(value))
    assert re.fullmatch(r"[A-Z][a-z]{6} [A-Z][a-z]{6} [1-9]\d{0,2}", made.of("address")(value))
    assert POOL_WORD.fullmatch(made.of("first_name")(value).lower())


@pytest.mark.slow
def test_a_made_up_word_is_never_one_of_the_source() -> None:
    values = [f"name {n}" for n in range(500)]
    taken = [fakes().of("first_name")(value).lower() for value in values]
    again = fakes(words=taken)
    assert not set(taken) & {again.of("first_name")(value).lower() for value in values}


def test_a_source_that_has_every_word_is_refused() -> None:
    class Every(frozenset[str]):
        def __contains__(self, _: object) -> bool:
            return True

    made = Fakes(KEY, Source(words=Every(), ruts=RutMap(KEY, [])))
    with pytest.raises(EduguardError, match="it is itself an export"):
        made.of("first_name")("Ana")


def test_a_made_up_number_is_never_one_of_the_source() -> None:
    first = fakes().of("phone")("+56912345678")
    assert fakes(phones=[first]).of("phone")("+56912345678") != first


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2012-05-17", r"2012-\d\d-\d\d"),
        ("2012-05-17 10:11:12.5", r"2012-\d\d-\d\d \d\d:\d\d:\d\d"),
        ("2012-05-17 10:11:12+00", r"2012-\d\d-\d\d \d\d:\d\d:\d\d\+00"),
        ("0044-03-15 BC", r"0044-\d\d-\d\d BC"),
        ("infinity", "infinity"),
    ],
)
def test_a_date_keeps_its_year(value: str, form: str) -> None:
    made = fakes().of("date")(value)
    assert re.fullmatch(form, made)
    assert made != value or value == "infinity"


def test_photos_follow_the_student_and_exempt_students_stay() -> None:
    made = fakes(exempt=["student-002"])
    new = made.key_of("students", "id")("student-001")
    assert made.of("photo")("students/student-001/photo-3.jpg") == f"students/{new}/photo-3.jpg"
    assert made.of("photo")("student-001-photo-12") == f"{new}-photo-12"
    assert made.of("photo")("student-002-photo-1") == "student-002-photo-1"
    assert made.key_of("students", "id")("student-002") == "student-002"
    assert made.key_of("teachers", "id")("student-002") != "student-002"
    assert re.fullmatch(r"k\d{20}", made.of("photo")("an old key.png"))


def test_documents_lose_what_has_no_path() -> None:
    document = {
        "name": "Ana", "age": 9, "secret": "x", "days": [{"day": "monday", "who": "Ana"}],
        "more": {"Ana": 1}, "none": None, "tags": ["a", "b"],
    }  # fmt: skip
    paths = {
        ("name",): "first_name",
        ("age",): "keep",
        ("days", "[]", "day"): "keep",
        ("none",): "text",
        ("more", "x"): "keep",
    }
    made = json.loads(fakes().json_of(paths)(json.dumps(document)))
    assert made == {
        "name": fakes().of("first_name")("Ana"), "age": 9, "days": [{"day": "monday"}], "more": {}, "none": None,
    }  # fmt: skip
