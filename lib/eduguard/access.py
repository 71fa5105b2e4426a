"""How a target is reached: by the environment, a developer's env_file or the settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eduguard.errors import EduguardError
from eduguard.variables import variable_name

_URL = "DATABASE_URL"
_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>DATABASE_URL|AWS_[A-Z0-9_]+)\s*=\s*(?P<value>.*?)\s*")
_QUOTED = re.compile(r"""(?P<quote>['"])(?P<inside>.*)(?P=quote)\s*(#.*)?""")
# Variables that name or hold credentials, in botocore's chain.
_CREDENTIALS = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|S(ESSION|ECURITY)_TOKEN|(DEFAULT_)?PROFILE|ROLE_ARN|WEB_IDENTITY_TOKEN_FILE|"
    r"CONTAINER_CREDENTIALS_(RELATIVE|FULL)_URI)\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The variables of the environment, and those of the env_file, which are weaker."""

    environment: Mapping[str, str] = field(repr=False)
    in_file: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: Path | None = None

    def find_url(self, target: str) -> tuple[str | None, str]:
        """Return the chosen target's database URL and where it was found; None: the target's own setting has it."""
        own = variable_name(("targets", target, "database_url"))
        passed_over = f"; that of {self.file} is passed over" if _URL in self.in_file else ""
        if url := self.environment.get(_URL):
            return url, f"{_URL} of the environment{passed_over}"
        if self.environment.get(own):
            return None, f"{own} of the environment{passed_over}"
        if url := self.in_file.get(_URL):
            return url, f"{_URL} of {self.file}"
        return None, f"database_url of target {target}"

    def describe_credentials(self, target: str, profile: str | None) -> str:
        """Return where AWS's credentials come from."""
        passed_over = f"; what {self.file} has is passed over" if _credentials(self.in_file) else ""
        if profile:
            return f"profile {profile}, aws_profile of target {target}{passed_over}"
        if named := _credentials(self.environment):
            return f"{named[0]} of the environment{passed_over}"
        if named := _credentials(self.in_file):
            return f"{named[0]} of {self.file}"
        return "AWS's own chain"

    def added_variables(self) -> dict[str, str]:
        """Return what the env_file adds to AWS's variables.

        Credentials are taken from one place: an access key is never combined with a secret, token or profile from
        another place.
        """
        found = {key: value for key, value in self.in_file.items() if key != _URL and not self.environment.get(key)}
        is_known = bool(_credentials(self.environment))
        return {key: value for key, value in found.items() if not (is_known and _CREDENTIALS.match(key))}


def read_sources(environment: Mapping[str, str], file: Path | None) -> Sources:
    """Return the variables of the environment and of the env_file, if there is one.

    Raises:
        EduguardError: when the file cannot be read, or a value does not end on its line.
    """
    return Sources(environment=environment, in_file=_read_file(file) if file else {}, file=file)


def _read_file(file: Path) -> dict[str, str]:
    """Return DATABASE_URL and the AWS_ variables of a file of NAME=value lines; other lines are ignored."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:  # a decoding error would print the file's content
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise EduguardError(
            f"Cannot read {file}: {reason}", hint="`env_file` names it; INVOKE_ENV_FILE=null goes without."
        ) from None
    found = {}
    for number, line in enumerate(lines, start=1):
        if assigned := _LINE.fullmatch(line):
            found[assigned["name"]] = _unquote(assigned["value"], f"{file}:{number}: {assigned['name']}")
    return {name: value for name, value in found.items() if value}


def _unquote(value: str, place: str) -> str:
    if value[:1] not in ("'", '"'):
        return re.split(r"(?:^|\s+)#", value, maxsplit=1)[0]
    quoted = _QUOTED.fullmatch(value)
    if quoted is None:
        raise EduguardError(f"{place} has a quotation mark that is not closed", hint="Close it on the same line.")
    return quoted["inside"]


def _credentials(variables: Mapping[str, str]) -> list[str]:
    return sorted(key for key, value in variables.items() if value and _CREDENTIALS.match(key))
