"""The access key of one local cloud, made at its first start, and the proof that a server has it."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from localcloud.errors import LocalCloudError

if TYPE_CHECKING:
    from pathlib import Path

_OWNER_ONLY: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The only access key that a local cloud accepts."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    def proof(self, nonce: str, address: str, folder: Path) -> str:
        """Return the answer to a nonce that only a holder of the key can give.

        Args:
            nonce: chosen at random by the caller.
            address: host and port of the server, so that a program on another port cannot forward the question.
            folder: the folder that the server serves.
        """
        message = "\n".join(("localcloud", nonce, address, str(folder)))
        return hmac.new(self.secret_access_key.encode(), message.encode(), "sha256").hexdigest()


def load(path: Path) -> Credentials | None:
    """Read the key of a state folder; None if it has none yet.

    Raises:
        LocalCloudError: when the file is damaged.
    """
    try:
        fields = json.loads(path.read_text())
        return Credentials(
            access_key_id=str(fields["access_key_id"]), secret_access_key=str(fields["secret_access_key"])
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalCloudError(f"{path} cannot be read; delete it, and the next start makes another key") from error


def ensure(path: Path) -> Credentials:
    """Return the key of a state folder, make it if there is none; only the folder's holder may call this."""
    found = load(path)
    if found:
        path.chmod(_OWNER_ONLY)  # the mode may have been lost when the folder was copied
        return found
    # The forms are AWS's own: 20 capital letters and digits, and 40 characters.
    made = Credentials(
        access_key_id="LOCAL" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(15)),
        secret_access_key=secrets.token_hex(20),
    )
    fields = {"access_key_id": made.access_key_id, "secret_access_key": made.secret_access_key}
    temporary = path.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "w") as file:
        json.dump(fields, file)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    return made
