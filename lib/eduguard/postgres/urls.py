"""Read the URL of a database strictly; error messages contain no character of its password."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from eduguard.errors import EduguardError

_FORM = "postgresql://user@host:5432/name"
_SCHEME = re.compile(r"postgres(ql)?://")
_OTHER_SCHEME = re.compile(r"(?P<jdbc>jdbc:)?postgres(ql)?(?P<driver>\+\w+)?:", re.IGNORECASE)
_KEYWORDS = re.compile(r"[a-z_]+\s*=")  # the beginning of a connection string that is not a URL
_PARAMETER = re.compile(r"[a-zA-Z_][\w.\-]{0,40}", re.ASCII)
_SECRETS = {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
_LIKE_A_SECRET = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)
_HIGHEST_PORT = 65535
_ENCODE = "Percent-encode these characters: @ is %40, / is %2F, ? is %3F, & is %26, % is %25, a space is %20."


@cache  # each command needs the same few URLs, and libpq parses the whole string each time
def read_url(url: str) -> dict[str, Any]:
    """Return the parameters of a libpq URL or connection string.

    libpq reads the text after an unescaped @ or / in a password as host or database, and its errors print it.

    Raises:
        EduguardError: saying which part is wrong, and what to do.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    if not _KEYWORDS.match(url):
        _check_beginning(url)
        _check_characters(url)
        _check_parameters(url)
    try:
        parameters = conninfo_to_dict(url)
    except ProgrammingError:  # libpq's own message repeats the string, password included
        raise EduguardError("The database URL cannot be read", hint=f"{_FORM}. {_ENCODE}") from None
    _check_ports(str(parameters.get("port") or ""))
    return parameters


def _check_beginning(url: str) -> None:
    if url[:1] in ("'", '"'):
        raise EduguardError("The database URL begins with a quotation mark", hint="Remove the quotation marks.")
    if url != url.strip():
        raise EduguardError("The database URL begins or ends with a space", hint="Remove it.")
    if _SCHEME.match(url):
        return
    other = _OTHER_SCHEME.match(url)
    if other is None:
        raise EduguardError("The database URL does not begin with postgresql://", hint=f"It is like {_FORM}")
    if other["jdbc"]:
        hint = f"Remove `jdbc:`, and put the user before the host: {_FORM}"
    else:
        hint = "Write postgresql:// there." + (" The driver is a matter of the program." if other["driver"] else "")
    raise EduguardError(f"libpq does not know {other[0]} at the beginning of the database URL", hint=hint)


def _check_characters(url: str) -> None:
    rest = _SCHEME.sub("", url, count=1)
    authority, *after = re.split(r"[/?]", rest, maxsplit=1)
    if authority.count("@") > 1 or "@" in "".join(after):
        text = "The database URL has an @, / or ? that is not percent-encoded, most likely in its password"
        raise EduguardError(text, hint=_ENCODE)
    if re.search(r"\s", rest):
        raise EduguardError("The database URL has a space inside", hint=_ENCODE)
    if re.search(r"%(?![0-9a-fA-F]{2})", rest):
        raise EduguardError("The database URL has a % that is not followed by two hexadecimal digits", hint=_ENCODE)


def _check_parameters(url: str) -> None:
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    parts = url.partition("?")[2].split("&") if "?" in url else []
    unknown = [_show(part, parts[:number]) for number, part in enumerate(parts) if not _is_known(part, known)]
    if unknown:
        schema = " A schema is set by options=-csearch_path%3DNAME." if "the parameter schema" in unknown else ""
        raise EduguardError(
            f"libpq does not know {' and '.join(unknown)} of the database URL",
            hint=f"Remove what is meant for another tool.{schema}",
        )


def _is_known(part: str, known: Iterable[str]) -> bool:
    name, equals, _ = part.partition("=")
    return part == "ssl=true" or bool(equals and name in known)  # ssl=true: libpq accepts it for JDBC


def _show(part: str, before: list[str]) -> str:
    # After a password in a parameter, the text that looks like the next parameter may be the rest of the password.
    name = part.partition("=")[0]
    if any(_LIKE_A_SECRET.search(each.partition("=")[0]) for each in before) or not _PARAMETER.fullmatch(name):
        return f"parameter {len(before) + 1}"
    return f"the parameter {name}"


def _check_ports(ports: str) -> None:
    for port in filter(None, ports.split(",")):
        if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
            raise EduguardError(
                "The port of the database URL is not a number from 1 to 65535",
                hint=f"It is like {_FORM}; a password is followed by @ and the host.",
            )


def shown_parameters(parameters: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the parameters that may be printed: those that are set and not secret."""
    for name, value in parameters.items():
        if name not in _SECRETS and value:
            yield name, str(value)
