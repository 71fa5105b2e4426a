"""Where the statements of an SQL file begin and end, as PostgreSQL's own lexer sees it: comments, quotes, dollars."""

import re
from dataclasses import dataclass
from functools import cache

# A quote that is never closed reaches to the end of the file.
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)
    |(?P<block>/\*)
    |(?P<quoted>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)
       |(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=tag)|\Z))
    |(?P<word>[^\W\d][\w$]*)
    |(?P<end>;)
    |(?P<other>\S)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement without its semicolon and the comments before it, and where it begins in its file."""

    text: str
    start: int


@cache  # every step of a reset looks through the same files
def split_statements(text: str) -> tuple[Statement, ...]:
    """Return the statements of an SQL file in their order."""
    statements: list[Statement] = []
    position, start, depth, before = 0, -1, 0, ""
    while found := _TOKEN.search(text, position):
        position, word = found.end(), (found["word"] or "").upper()
        if found["block"]:
            position = _end_of_comment(text, position)
        elif found["end"] and not depth:
            if start >= 0:
                statements.append(Statement(text=text[start : found.start()].rstrip(), start=start))
            start = -1
        elif not found["comment"]:
            start = found.start() if start < 0 else start
            depth += _nesting(before, word, depth)
            before = word
    if start >= 0:
        statements.append(Statement(text=text[start:].rstrip(), start=start))
    return tuple(statements)


def _nesting(before: str, word: str, depth: int) -> int:
    # The semicolons in the body of an SQL-standard function end none of the file's statements.
    if (before, word) == ("BEGIN", "ATOMIC") or (depth and word == "CASE"):
        return 1
    return -1 if depth and word == "END" else 0


def _end_of_comment(text: str, position: int) -> int:
    depth = 1
    while mark := _COMMENT_MARK.search(text, position):
        depth, position = depth + (1 if mark[0] == "/*" else -1), mark.end()
        if depth == 0:
            return position
    return len(text)
