"""Colour and weight on a terminal only, so that piped, logged or compared output stays plain text."""

import os
import re
from typing import TextIO

_SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
# A number that is not part of a name, a path, a version or a time: `24 photos`, not `student-001` and not `08:30`.
_NUMBER = r"(?<![\w./:#-])\d[\d,]*(?:\.\d+)?(?![\w/:#-]|\.\w)"
_ERROR = "error: "
_COMMAND = r"`[^`\n]+`"
_SIGNS = {
    "+": "green",
    "*": "yellow",
    "-": "red",
    "!": "red",
    "=": "dim",
    "ok": "green",
    "drift": "yellow",
    "broken": "red",
}


def is_live(stream: TextIO) -> bool:
    """Say whether a person watches a stream: it is a terminal, and not a build server's (which sets CI)."""
    return stream.isatty() and not os.environ.get("CI")


def has_cursor(stream: TextIO) -> bool:
    """Say whether a person watches a stream, and its lines can be redrawn."""
    return is_live(stream) and os.environ.get("TERM", "dumb") != "dumb"


def is_coloured(stream: TextIO) -> bool:
    """Say whether a person watches a stream that shows colour, and NO_COLOR is not set (no-color.org)."""
    return has_cursor(stream) and not os.environ.get("NO_COLOR")


def paint(text: str, *styles: str) -> str:
    """Return text in styles, such as bold or red."""
    return f"\033[{';'.join(_SGR[style] for style in styles)}m{text}\033[0m"


def emphasise(text: str) -> str:
    """Return the text of a step with its first sign, its numbers and its commands painted."""
    sign, space, rest = text.partition(" ")
    style = _SIGNS.get(sign) if space else None
    painted = _paint_commands(rest if style else text)
    painted = "".join(_weigh(part) for part in re.split(r"(\033\[36m.*?\033\[0m)", painted))
    return f"{paint(sign, 'bold', style)}{space}{painted}" if style else painted


def emphasise_failure(message: str) -> str:
    """Return the message of a failure, with the line that says what failed and where in bold."""
    return "\n".join(map(_emphasise_line, message.split("\n")))


def _emphasise_line(line: str) -> str:
    if line.startswith(_ERROR):
        return f"{paint(_ERROR.rstrip(), 'bold', 'red')} {paint(line.removeprefix(_ERROR), 'bold')}"
    return _paint_commands(line)


def _paint_commands(text: str) -> str:
    return re.sub(_COMMAND, lambda found: paint(found[0], "cyan"), text)


def _weigh(part: str) -> str:
    return part if part.startswith("\033") else re.sub(_NUMBER, lambda found: paint(found[0], "bold"), part)
