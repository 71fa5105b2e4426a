"""The plan of an evaluation and its result, as plain values and lines; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eduguard.evaluation.class_photos import ClassScores
from eduguard.evaluation.rates import Rates, Suggestion
from eduguard.evaluation.scores import Scores
from eduguard.evaluation.searches import Pair
from eduguard.plurals import amount
from eduguard.portability import Estimate

_SHOWN = 10  # students named in the lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many requests an evaluation makes, how long they take and what they cost."""

    photos: int
    """each takes one search"""
    class_photos: int
    """one request finds the faces in each"""
    labels: int
    """students in class photos; each face is searched for in every collection"""
    estimate: Estimate

    def __str__(self) -> str:
        parts = [f"{amount(self.photos, 'photo')} to search for"]
        if self.class_photos:
            parts.append(f"{amount(self.class_photos, 'class photo')} with at least {amount(self.labels, 'face')}")
        return ", ".join(parts) + (f": {cost}" if (cost := str(self.estimate)) else "")

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        counts = {"photos": self.photos, "class_photos": self.class_photos, "class_faces_at_least": self.labels}
        return {**counts, **self.estimate.as_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The result of an evaluation."""

    scores: Scores
    classes: ClassScores | None
    rates: tuple[Rates, ...]
    current: float
    """the match_threshold in force"""
    suggestion: Suggestion

    @property
    def headers(self) -> tuple[str, ...]:
        """Return the table's column names."""
        more = ("in class photos: accepted", "rejected") if self.classes else ()
        return ("threshold", "false accepts", "false rejects", *more)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield a row of the table for each threshold whose rates differ from those of the one before.

        The threshold in force is marked with a star, the suggested one with a plus; both are always shown.
        """
        before = tuple[str, ...]()
        for each in self.rates:
            mark = "*" * (each.threshold == self.current) + "+" * (each.threshold == self.suggestion.threshold)
            shares = (each.false_accepts, each.false_rejects, each.class_accepts, each.class_rejects)
            cells = tuple(str(share) for share in shares if share)
            if mark or cells != before:
                yield (f"{each.threshold:g}{mark}", *cells)
            before = cells

    def lines(self) -> Iterator[str]:
        """Yield the lines below the table."""
        scores = self.scores
        yield "* is the match_threshold in force, + the one that is suggested"
        yield (
            f"{amount(scores.photos, 'photo')} of {amount(scores.students, 'student')}, "
            f"{scores.single:,} of them with one photo only"
        )
        now = next(each for each in self.rates if each.threshold == self.current)
        yield (
            f"at {self.current:g}, of all photos {now.mistakable} are like somebody else's, and {now.unrecognised} "
            "are not recognised by another photo of their student"
        )
        yield f"strangers that are the most alike: {_name(scores.worst_strangers)}"
        yield f"photos of one student that are the least alike: {_name(scores.worst_own)}"
        separate = scores.inseparable
        yield f"students whom no threshold separates: {len(separate) or 'none'}"
        yield from (f"  {each}" for each in separate[:_SHOWN])
        if len(separate) > _SHOWN:
            yield f"  and {len(separate) - _SHOWN:,} more (--json names all)"
        yield str(self.suggestion)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        scores = self.scores
        return {
            "photos": scores.photos,
            "students": scores.students,
            "students_with_one_photo": scores.single,
            "pairs": {"own": scores.own.total, "strangers": scores.strangers.total},
            "class_photos": self.classes.as_json() if self.classes else None,
            "match_threshold": self.current,
            "suggestion": self.suggestion.as_json(),
            "thresholds": [each.as_json() for each in self.rates],
            "worst": {"strangers": _pairs(scores.worst_strangers), "own": _pairs(scores.worst_own)},
            "inseparable": [
                {"student": each.student_id, "own": each.own, "stranger": each.stranger._asdict()}
                for each in scores.inseparable
            ],
        }


def _pairs(pairs: tuple[Pair, ...]) -> list[dict[str, Any]]:
    return [pair._asdict() for pair in pairs]


def _name(pairs: tuple[Pair, ...]) -> str:
    return ", ".join(map(str, pairs[:3])) or "none"
