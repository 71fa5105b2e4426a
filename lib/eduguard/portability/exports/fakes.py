"""Make up values from a key and a value; their form is one that no real value has or that belongs to nobody."""

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eduguard.errors import EduguardError
from eduguard.identifiers import external_image_id, photo_key, split_external_image_id, split_photo_key
from eduguard.portability.exports.keyed import Key
from eduguard.portability.exports.rules import KEEP
from eduguard.portability.exports.rut import RutMap
from eduguard.portability.exports.spelling import fold

_SYLLABLES = tuple(first + second for first in "bdfglmnprstv" for second in "aeiou")
_ENDINGS = ("l", "n", "r", "s")
POOL_SIZE = len(_SYLLABLES) ** 3 * len(_ENDINGS)
"""the number of made-up words"""
POOL_WORD = re.compile(rf"(?<![^\W\d_])(?:[bdfglmnprstv][aeiou]){{3}}[{''.join(_ENDINGS)}](?![^\W\d_])")
"""matches words of the pool in a folded text"""
POOL_WORD_IN_SQL = rf"(?:[bdfglmnprstv][aeiou]){{3}}[{''.join(_ENDINGS)}]"
"""matches the same words, and others, as a PostgreSQL regular expression"""
PHONES = "+560"
"""the prefix of made-up telephone numbers: no number in Chile has a 0 there"""
_MOST_WORDS = 60  # in a made-up text
_MOST_ATTEMPTS = 10_000
_TIMESTAMP = re.compile(r"(?P<year>\d{4,})-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d+)?(?P<zone>\S*))?(?P<era> BC)?")
_DAYS = [f"{dt.date(2001, 1, 1) + dt.timedelta(day):%m-%d}" for day in range(1, 365)]  # not 1 January

Fake = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Values that must not be made up, because the source has them in columns that are not kept."""

    words: frozenset[str] = frozenset()
    """words of the pool"""
    phones: frozenset[str] = frozenset()
    """telephone numbers with the prefix of made-up ones"""
    ruts: RutMap
    exempt: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """keys of rows that are exported unchanged, by table"""


class Fakes:
    """The functions that make up values, by rule; an empty text stays empty."""

    def __init__(self, key: Key, source: Source) -> None:
        self._key, self._source = key, source
        self._email, self._uuid_digits = key.digits("email", 20), key.digits("uuid", 30)
        self._photo_id, self._other_photo = self.key_of("students", "id"), key.digits("photo", 20)
        self._plain: Mapping[str, Fake] = {
            "first_name": lambda value: self._words("first_name", value, 1),
            "last_name": lambda value: self._words("last_name", value, 2),
            "address": self._address,
            "text": lambda value: self._words("text", value, len(value.split()) or 1).capitalize(),
            "rut": source.ruts.replace,
            "email": lambda value: f"p{self._email(fold(value))}@example.invalid",
            "phone": self._phone,
            "date": self._date,
            "uuid": self._uuid,
            "photo": self._photo,
        }

    def of(self, rule: str) -> Fake:
        """Return the function of a rule: `photo`, or a rule that draws another value of the same kind."""
        return self._plain[rule]

    def key_of(self, table: str, column: str) -> Fake:
        """Return the function that makes up the keys of a column; keys of exempt rows stay as they are."""
        digits, exempt = self._key.digits(f"key {table}.{column}", 20), self._source.exempt.get(table)
        if not exempt:
            return lambda value: "k" + digits(value)
        return lambda value: value if value in exempt else "k" + digits(value)

    def json_of(self, paths: Mapping[tuple[str, ...], str]) -> Fake:
        """Return the function that makes up documents: leaves by the rules of their paths; others are removed."""
        return lambda value: json.dumps(self._document(json.loads(value), (), paths), ensure_ascii=False)

    def _words(self, domain: str, value: str, count: int) -> str:
        words: list[str] = []
        number, attempt = 0, 0
        while len(words) < min(count, _MOST_WORDS):
            if number < POOL_SIZE:
                number = self._key.number(f"{domain} {attempt}", fold(value))
                attempt += 1
            number, drawn = divmod(number, POOL_SIZE)
            word = _word(drawn)
            if word not in self._source.words:
                words.append(word)
            elif attempt == _MOST_ATTEMPTS:
                raise EduguardError("The source has almost every made-up word: it is itself an export")
        return " ".join(words) if domain == "text" else " ".join(map(str.capitalize, words))

    def _address(self, value: str) -> str:
        house = self._key.number("house", fold(value)) % 999 + 1
        return f"{self._words('address', value, 2)} {house}"

    def _phone(self, value: str) -> str:
        digits = re.sub(r"\D", "", value)
        attempt = 0
        while (made := f"{PHONES}{self._key.digits(f'phone {attempt}', 11)(digits)}") in self._source.phones:
            attempt += 1
        return made

    def _date(self, value: str) -> str:
        found = _TIMESTAMP.fullmatch(value)
        if found is None:
            return value  # the value `infinity`
        number = self._key.number("date", value)
        number, day = divmod(number, len(_DAYS))
        made = f"{found['year']}-{_DAYS[day]}"
        if made == value:
            made = f"{found['year']}-{_DAYS[(day + 1) % len(_DAYS)]}"
        if found["zone"] is not None:
            seconds = number % 86_400
            made += f" {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{found['zone']}"
        return made + (found["era"] or "")

    def _uuid(self, value: str) -> str:
        # Only digits, as version 8 (RFC 9562) allows, so that a made-up UUID never contains something like a word.
        made = self._uuid_digits(value.lower())
        return f"{made[:8]}-{made[8:12]}-8{made[12:15]}-8{made[15:18]}-{made[18:]}"

    def _photo(self, value: str) -> str:
        new_id = self._photo_id
        if found := split_photo_key(value):
            return photo_key(new_id(found[0]), found[1])
        if found := split_external_image_id(value):
            return external_image_id(new_id(found[0]), found[1])
        return "k" + self._other_photo(value)

    def _document(self, value: Any, path: tuple[str, ...], paths: Mapping[tuple[str, ...], str]) -> Any:
        if isinstance(value, dict):
            made = {name: self._document(each, (*path, name), paths) for name, each in value.items()}
            return {name: each for name, each in made.items() if _leads_on((*path, name), paths)}
        if isinstance(value, list):
            inside = (*path, "[]")
            return [self._document(each, inside, paths) for each in value] if _leads_on(inside, paths) else []
        rule = paths.get(path)
        if rule is None or value is None:
            return None
        return value if rule == KEEP else self._leaf(rule, value)

    def _leaf(self, rule: str, value: object) -> str | None:
        return (self.of(rule)(value) if value else value) if isinstance(value, str) else None


def _word(number: int) -> str:
    syllables = []
    for _ in range(3):
        number, syllable = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[syllable])
    return "".join(syllables) + _ENDINGS[number]


def _leads_on(path: tuple[str, ...], paths: Mapping[tuple[str, ...], str]) -> bool:
    return any(known[: len(path)] == path for known in paths)
