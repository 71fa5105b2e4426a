"""A request as its signer saw it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from botocore.compat import HTTPHeaders

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_PLAIN: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


@dataclass(frozen=True)
class Seen:
    """The parts of a request that signatures cover.

    Attributes:
        environ: the WSGI environment.
        body: the whole body as it was sent.
    """

    environ: WSGIEnvironment
    body: bytes

    @property
    def method(self) -> str:
        """The method in capitals."""
        return str(self.environ["REQUEST_METHOD"]).upper()

    @functools.cached_property
    def path(self) -> str:
        """The path as it was sent, still quoted; a client of a proxy sends a whole URL."""
        raw = str(self.environ.get("RAW_URI") or self.environ["PATH_INFO"])
        return (urlsplit(raw).path if "://" in raw.split("?", maxsplit=1)[0] else raw.split("?", maxsplit=1)[0]) or "/"

    @functools.cached_property
    def query(self) -> list[tuple[str, str]]:
        """Names and values of the query, in order."""
        return parse_qsl(str(self.environ.get("QUERY_STRING", "")), keep_blank_values=True)

    @property
    def raw_query(self) -> str:
        """The query as it was sent."""
        return str(self.environ.get("QUERY_STRING", ""))

    @functools.cached_property
    def named(self) -> dict[str, str]:
        """The query by lower-case name."""
        return {name.lower(): value for name, value in self.query}

    def header(self, name: str) -> str:
        """Return the value of a header, empty if it was not sent."""
        key = name.upper().replace("-", "_")
        value: Any = self.environ.get(_PLAIN.get(name.lower(), f"HTTP_{key}"), "")
        try:
            # WSGI decodes bytes as Latin-1; clients sign UTF-8.
            return str(value).encode("latin-1").decode()
        except UnicodeError:
            return str(value)

    def headers(self, names: list[str]) -> HTTPHeaders:
        """Return headers in the form that botocore's signers need."""
        found = HTTPHeaders()
        for name in names:
            found[name] = self.header(name)
        return found

    @property
    def header_names(self) -> list[str]:
        """The names of all headers, in lower case with dashes."""
        named = [name[5:].lower().replace("_", "-") for name in self.environ if name.startswith("HTTP_")]
        return named + [name for name, variable in _PLAIN.items() if variable in self.environ]
