"""Where the statements of an SQL file begin and end, as PostgreSQL's own lexer sees it: comments, quotes, dollars."""

import re
from dataclasses import dataclass
from functools import cache

# Constructs that can hide a semicolon, and the semicolon itself; the lookahead is only for speed. A quote that is never
# closed reaches to the end of the file.
_GAP = r"(?:\s|--[^\n]*(?:\n|\Z)|/\*(?:[^*/]|\*(?!/)|/(?!\*))*\*/)"
_MARK = re.compile(
    rf"""(?=[;'"$/\-bceBCE])(?:(?P<end>;)
    |(?P<comment>--[^\n]*)
    |(?P<block>/\*)
    |(?P<quoted>'[^']*(?:''[^']*)*(?:'|\Z)
       |"[^"]*(?:""[^"]*)*(?:"|\Z)
       |(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
       |(?<![\w$])(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=tag)|\Z))
    |(?<![\w$])(?:(?P<atomic>BEGIN{_GAP}+ATOMIC)|(?P<case>CASE)|(?P<close>END))(?![\w$]))""",
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)
_COMMENT_MARK = re.compile(r"/\*|\*/")
_SPACE = re.compile(r"(?:[\s;]+|--[^\n]*)*")
_HEAD = 4_000  # characters that are enough to tell the kind of a statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement without its semicolon and preceding comments, and its position in the file."""

    text: str
    start: int

    @property
    def head(self) -> str:
        """Return the beginning of the statement in capitals, without comments and quoted text."""
        kept, position, text = [], 0, self.text[:_HEAD]
        while found := _MARK.search(text, position):
            end = _end_of_comment(text, found.end()) if found["block"] else found.end()
            hides = found["comment"] or found["block"] or found["quoted"]
            kept += [text[position : found.start()], " " if hides else found[0]]
            position = end
        return " ".join("".join([*kept, text[position:]]).upper().split())


@cache  # every step of a reset reads the same files
def split_statements(text: str) -> tuple[Statement, ...]:
    """Return the statements of an SQL file in their order."""
    statements: list[Statement] = []
    start = position = _skip_gap(text, 0)
    # As in psql, a semicolon within parentheses or the body of an SQL-standard function does not end a statement.
    depth = parentheses = 0
    while start < len(text):
        found = _MARK.search(text, position)
        between = text[position : found.start() if found else len(text)]
        parentheses = max(parentheses + between.count("(") - between.count(")"), 0)
        if found is None or (found["end"] and not depth and not parentheses):
            end = found.start() if found else len(text)
            statements.append(Statement(text=text[start:end].rstrip(), start=start))
            start = position = _skip_gap(text, end)
            depth = parentheses = 0
            continue
        position = _end_of_comment(text, found.end()) if found["block"] else found.end()
        if found["atomic"] or (depth and found["case"]):
            depth += 1
        elif depth and found["close"]:
            depth -= 1
    return tuple(statements)


def _skip_gap(text: str, position: int) -> int:
    """Return where the next statement begins, after semicolons, blanks and comments."""
    while True:
        position = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # it also matches an empty text
        if not text.startswith("/*", position):
            return position
        position = _end_of_comment(text, position + 2)


def _end_of_comment(text: str, position: int) -> int:
    depth = 1
    while mark := _COMMENT_MARK.search(text, position):
        depth, position = depth + (1 if mark[0] == "/*" else -1), mark.end()
        if depth == 0:
            return position
    return len(text)
