"""The key of an export: where it is kept, its fingerprint, and the numbers that it makes from values.

The same key makes the same number from a value on every machine. Without the key, nobody can test guessed values.
"""

import base64
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from eduguard.errors import EduguardError

VARIABLE = "ANONYMISE_KEY"
_SIZE = 32  # bytes
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HINT = f"It is {_SIZE} bytes, in hexadecimal or base64: openssl rand -hex {_SIZE}"


@dataclass(frozen=True)
class Key:
    """A key of 32 bytes, and the numbers made with it."""

    secret: bytes = field(repr=False)

    @cached_property
    def _bases(self) -> dict[str, Any]:
        return {}

    @cached_property
    def fingerprint(self) -> str:
        """Return a name for the key that does not reveal it."""
        return hashlib.blake2b(b"fingerprint", key=self.secret, digest_size=8, person=b"eduguard").hexdigest()

    def number(self, domain: str, value: str) -> int:
        """Return a 256-bit number for a value; in one domain, equal values have equal numbers."""
        hashed = self._base(domain)
        hashed.update(value.encode("utf-8", "surrogatepass"))
        return int.from_bytes(hashed.digest(), "little")

    def _base(self, domain: str) -> Any:
        """Return the hash of a domain, to which the caller adds the bytes of a value."""
        base = self._bases.get(domain)
        if base is None:
            base = self._bases[domain] = hashlib.blake2b(key=self.secret, digest_size=32, person=b"eduguard")
            base.update(f"{len(domain)}:{domain}".encode())
        return base.copy()

    def digits(self, domain: str, count: int) -> Callable[[str], str]:
        """Return a function that makes `count` digits (at most 30) from a value, fast enough for large tables."""
        copy, from_bytes = self._base(domain).copy, int.from_bytes
        most: int = 10**count
        form = f"%0{count}d"

        def make(value: str) -> str:
            hashed = copy()
            hashed.update(value.encode("utf-8", "surrogatepass"))
            number: int = from_bytes(hashed.digest()[:16], "little")
            return form % (number % most)

        return make


def default_file(environment: Mapping[str, str]) -> Path:
    """Return the default file of the key."""
    folder = environment.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "eduguard" / "anonymise.key"


def find_key(file: Path, checkout: Path, environment: Mapping[str, str]) -> tuple[Key, bool]:
    """Return the key from the environment or else from the file, and whether the file was just created.

    Args:
        file: the file of the key.
        checkout: the folder in which the file must not be, because somebody would commit it one day.
        environment: the variables; ANONYMISE_KEY has priority over the file.

    Raises:
        EduguardError: for a malformed key, or for a file that is in the checkout or that other users may read.
    """
    if given := environment.get(VARIABLE):
        return Key(_decode(given, VARIABLE)), False
    if file.resolve().is_relative_to(checkout.resolve()):
        raise EduguardError(
            f"The key of the export may not be in the checkout: {file}",
            hint="Set anonymise_key to a file outside it, or to null.",
        )
    is_new = not file.exists()
    if is_new:
        _make(file)
    return Key(_read(file)), is_new


def _make(file: Path) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_hex(_SIZE) + "\n")
    except FileExistsError:
        return  # another export has just created it
    except OSError as error:
        raise EduguardError(f"{file}: {error.strerror}", hint=f"Set {VARIABLE}, or anonymise_key.") from error


def _read(file: Path) -> bytes:
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise EduguardError(f"{file} cannot be read as the key of an export: {error}", hint=_HINT) from error
    if mode & _OTHERS:
        raise EduguardError(f"Others may read the key of the export, {file}", hint=f"chmod 600 {file}")
    return _decode(text.strip(), str(file))


def _decode(text: str, where: str) -> bytes:
    found = b""
    try:
        is_hex = re.fullmatch(r"[0-9a-fA-F]+", text) and len(text) == 2 * _SIZE
        found = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
    except ValueError:  # wrong characters, or incomplete
        pass
    if len(found) != _SIZE:
        raise EduguardError(f"{where} does not hold the key of an export", hint=_HINT)
    return found
