"""A target's database: its name, its URL, and the names of the databases beside it."""

import os
import re
from dataclasses import dataclass, field, replace
from functools import cache

from eduguard.errors import EduguardError
from eduguard.postgres.urls import read_url, shown_parameters

_MAINTENANCE = "postgres"
_FALLBACK = "template1"  # some hosts do not offer the database `postgres`
_LONGEST_NAME = 63 - len("_discarded")  # NAMEDATALEN - 1, minus the longest suffix we add
_FROM_VARIABLES = ("host", "hostaddr", "port", "user", "password", "options")  # which server, which user, which options
_HOST = re.compile(r"[a-zA-Z0-9._-]*|[0-9a-fA-F:.]+")  # what may precede the name in a URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database, given by its URL, and the names of the databases beside it."""

    url: str = field(repr=False)  # may hold the password
    name: str
    target: str = ""
    """the name of its target"""
    is_embedded: bool = False
    """whether it is on the embedded server of this checkout"""
    maintenance_name: str | None = None
    """the database to connect to while others are renamed; None: postgres, otherwise template1"""
    has_fallback: bool = False
    """whether another database may be used if the server has none of this name"""

    @staticmethod
    def from_url(url: str, *, alone: bool = False) -> "Database":
        """Return the database of a libpq URL or connection string; PGDATABASE names it if the URL does not.

        Args:
            url: the URL or connection string.
            alone: ignore libpq's variables, which apply to another target; the password is in the URL or ~/.pgpass.

        Raises:
            EduguardError: when it is not a connection string, names no database, or the name is too long.
        """
        name = read_url(url).get("dbname") or (None if alone else os.environ.get("PGDATABASE"))
        if not name:
            raise EduguardError("The database URL names no database", hint="postgresql://user@host/NAME")
        return Database(url=_without_variables(url) if alone else url, name="").named(str(name))

    def named(self, name: str) -> "Database":
        """Return a database with another name on the same server."""
        if len(name.encode()) > _LONGEST_NAME:
            raise EduguardError(
                f"The database's name {name!r} is too long: {_LONGEST_NAME} bytes leave room for suffixes"
            )
        return self.aside(name)

    @property
    def next(self) -> "Database":
        """Return the database that is being made beside this one."""
        return self._beside("next")

    @property
    def previous(self) -> "Database":
        """Return the database that the last publish replaced."""
        return self._beside("previous")

    @property
    def discarded(self) -> "Database":
        """Return the database that is no longer kept after a publish and will be dropped."""
        return self._beside("discarded")

    @property
    def maintenance(self) -> "Database":
        """Return the database to connect to while others are renamed."""
        found = self.aside(self.maintenance_name or _MAINTENANCE)
        return found if self.maintenance_name else replace(found, has_fallback=True)

    @property
    def fallback(self) -> "Database | None":
        """Return the database to connect to if the server has none of this name."""
        return self.aside(_FALLBACK) if self.has_fallback else None

    @property
    def shown_url(self) -> str:
        """Return a URL of the same database without its password, which may be printed."""
        from urllib.parse import quote, urlencode

        known = dict(shown_parameters(read_url(self.url)))
        user, host, port = known.pop("user", ""), known.pop("host", ""), known.pop("port", "")
        known.pop("dbname", None)
        if not (_HOST.fullmatch(host) and (not port or port.isdecimal())):  # a socket's path or a list of hosts
            known = {"host": host, **({"port": port} if port else {}), **known}
            host = port = ""
        authority = (
            (f"{quote(user, safe='')}@" if user else "")
            + (f"[{host}]" if ":" in host else host)
            + (f":{port}" if port else "")
        )
        query = f"?{urlencode(known, quote_via=quote, safe='')}" if known else ""
        return f"postgresql://{authority}/{quote(self.name, safe='')}{query}"

    def aside(self, name: str) -> "Database":
        """Return a database that is kept for cloning, by its full name."""
        return replace(self, url=_with_name(self.url, name), name=name, has_fallback=False)

    def _beside(self, suffix: str) -> "Database":
        return self.aside(f"{self.name}_{suffix}")


def _without_variables(url: str) -> str:
    from psycopg.conninfo import make_conninfo

    # libpq does not read the variable of a parameter that is given, even if it is empty: it uses its default, or the
    # password in ~/.pgpass.
    return make_conninfo(**dict.fromkeys(_FROM_VARIABLES, "") | read_url(url))


@cache  # libpq reads the whole URL each time
def _with_name(url: str, name: str) -> str:
    from psycopg.conninfo import make_conninfo

    return make_conninfo(url, dbname=name)
