"""Make up people: names from our own pools, and identity numbers that nobody has."""

from datetime import date, timedelta
from math import gcd

from eduguard.portability.generation.dice import Draw, below, pick, pool, stream

MOST_SCHOOLS, MOST_STUDENTS = 400, 16_000
"""the limits of one world and of one school, which give every person a unique number"""
# Chile numbers people in order: their numbers stay below 30 million for years to come, and those of companies start
# far above 46 million. The numbers in between belong to nobody.
FIRST_RUT, LAST_RUT = 32_000_000, 45_999_999
_RUTS = LAST_RUT - FIRST_RUT + 1
_OF_A_SCHOOL = _RUTS // MOST_SCHOOLS
_KINDS = {"student": 0, "guardian": MOST_STUDENTS, "teacher": 2 * MOST_STUDENTS}

_GIRLS = pool(
    "Antonia Amanda Agustina Belén Camila Catalina Constanza Daniela Elisa Emilia Fernanda Florencia Francisca Isidora "
    "Ignacia Javiera Josefa Julieta Laura Magdalena Martina Maite Millaray Pascuala Paz Rafaela Rayén Sofía Trinidad "
    "Valentina Violeta Ximena"
)
_BOYS = pool(
    "Agustín Alonso Álvaro Bastián Benjamín Borja Bruno Clemente Cristóbal Damián Diego Esteban Facundo Felipe Gaspar "
    "Ignacio Joaquín José Julián Lautaro León Lucas Mateo Matías Maximiliano Nahuel Nicolás Pedro Rafael Renato Simón "
    "Tomás Vicente"
)
_SURNAMES = pool(
    "Aguilera Alarcón Antilef Araya Barría Bravo Bustos Cárdenas Catrileo Cayuqueo Cerda Contreras Curihuentro Díaz "
    "Donoso Espinoza Fuentes Gallardo Godoy Henríquez Huenchul Ibarra Jara Lagos Leiva Lillo Loncon Mardones Maturana "
    "Medel Mella Millán Miranda Morales Navarrete Neira Núñez Olivares Orellana Ortega Ossandón Painemal Parra Peña "
    "Pizarro Quidel Quiroga Rebolledo Riquelme Rojas Saavedra Salazar Sandoval Sepúlveda Soto Tapia Toledo Ulloa "
    "Urrutia Valdés Vera Vidal Yáñez Zamora Zúñiga"
)


def rut(seed: str, kind: str, school: int, number: int) -> str:
    """Return the identity number of a person; no other person of the same seed has it.

    Args:
        seed: the seed of the world.
        kind: student, guardian or teacher.
        school: the school's number, from 0 to below MOST_SCHOOLS.
        number: the person's number in the school, from 0 to below MOST_STUDENTS.
    """
    draw = stream(seed, "ruts")
    step, start = 1 + below(draw, _RUTS - 1), below(draw, _RUTS)
    while gcd(step, _RUTS) != 1:  # so that each number is reached from exactly one place
        step += 1
    place = school * _OF_A_SCHOOL + _KINDS[kind] + number
    body = FIRST_RUT + (start + step * place) % _RUTS
    return f"{body}-{check_digit(body)}"


def check_digit(body: int) -> str:
    """Return the check digit of an identity number: modulo 11, weights 2 to 7 from the right."""
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(str(body))))
    return "0123456789K"[-total % 11]


def first_name(draw: Draw) -> str:
    """Return a first name; one in five has a second one."""
    names = _GIRLS if draw() < 0.5 else _BOYS  # noqa: PLR2004 -- half
    first, second = pick(draw, names), pick(draw, names)
    return first if first == second or draw() < 0.8 else f"{first} {second}"  # noqa: PLR2004 -- a share


def surname(draw: Draw) -> str:
    """Return one surname; a person has two."""
    return pick(draw, _SURNAMES)


def phone(draw: Draw) -> str:
    """Return a telephone number of Chilean form that cannot be called: none has a 0 after the country code."""
    return f"+560{below(draw, 100_000_000):08}"


def birth_date(draw: Draw, position: int, year: int) -> date:
    """Return when a student of a grade was born; a few repeat the grade and are a year older.

    Args:
        draw: the student's stream.
        position: the position of the grade, from 1; a student in the first has turned four by 31 March.
        year: the year of the school year.
    """
    repeats = 1 if draw() < 0.04 else 0  # noqa: PLR2004 -- a share
    return date(year - 4 - position - repeats, 4, 1) + timedelta(below(draw, 365))
