"""What each threshold would accept and reject, and which threshold achieves a wanted rate; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eduguard.evaluation.class_photos import ClassScores
from eduguard.evaluation.intervals import Share, count_needed
from eduguard.evaluation.scores import Scores
from eduguard.evaluation.searches import STEPS
from eduguard.plurals import amount

_SHOWN = (70.0, 80.0, 85.0, 90.0, 92.0, 94.0, 95.0, 96.0, 97.0, 98.0, 99.0, 99.5, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of one threshold. A pair is accepted if its similarity reaches the threshold."""

    threshold: float
    false_accepts: Share
    """accepted pairs of photos of different students"""
    false_rejects: Share
    """rejected pairs of photos of one student"""
    mistakable: Share
    """photos that would be recognised as another student if their own student had no other photo"""
    unrecognised: Share
    """photos that are not recognised by any other photo of their student"""
    class_accepts: Share | None = None
    """faces in class photos that are recognised as a student who is not there"""
    class_rejects: Share | None = None
    """students in class photos who are not recognised"""

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        shares = {
            "pairs": (self.false_accepts, self.false_rejects),
            "photos": (self.mistakable, self.unrecognised),
            "class_photos": (self.class_accepts, self.class_rejects),
        }
        return {"threshold": self.threshold} | {
            name: {"false_accepts": accepts.as_json(), "false_rejects": rejects.as_json()}
            for name, (accepts, rejects) in shares.items()
            if accepts and rejects
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The lowest threshold whose false accepts are surely within a goal; None if there are too few pairs to be sure."""

    goal: float
    """the wanted rate of false accepts, from 0 to 1"""
    threshold: float | None
    pairs: int
    needed: int
    """pairs of strangers that would be enough, if none of them is a false accept"""

    def __str__(self) -> str:
        wanted = f"at most {100 * self.goal:g} % false accepts"
        if self.threshold is not None:
            return f"match_threshold: {self.threshold:g} for {wanted}"
        if self.pairs < self.needed:
            return (
                f"too few pairs for {wanted}: the interval is wider than that. There are "
                f"{amount(self.pairs, 'pair')} of strangers, {self.needed:,} are the least"
            )
        return f"no threshold keeps to {wanted}: too many pairs of strangers have a similarity of 100"

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "goal": self.goal,
            "match_threshold": self.threshold,
            "pairs": self.pairs,
            "pairs_needed": self.needed,
            "problem": None if self.threshold is not None else str(self),
        }


def choose_thresholds(scores: Scores, *others: float | None) -> list[float]:
    """Return the thresholds to show: those at which all strangers are known, and those in `others`."""
    named = {each for each in others if each is not None}
    return sorted({each for each in _SHOWN if each >= scores.floor} | named)


def rate(scores: Scores, thresholds: Sequence[float], classes: ClassScores | None = None) -> list[Rates]:
    """Return the rates of each threshold."""
    columns = [
        scores.strangers.accepted(thresholds),
        scores.own.rejected(thresholds),
        scores.nearest_stranger.accepted(thresholds),
        scores.nearest_own.rejected(thresholds),
        classes.strangers.accepted(thresholds) if classes else [None] * len(thresholds),
        classes.own.rejected(thresholds) if classes else [None] * len(thresholds),
    ]
    names = ("false_accepts", "false_rejects", "mistakable", "unrecognised", "class_accepts", "class_rejects")
    return [
        Rates(threshold=threshold, **dict(zip(names, shares, strict=True)))
        for threshold, *shares in zip(thresholds, *columns, strict=True)
    ]


def suggest_threshold(scores: Scores, goal: float) -> Suggestion:
    """Return the lowest threshold, in hundredths, at which the whole interval of false accepts is within the goal."""
    lowest = next(
        (
            step / STEPS
            for step, share in zip(_steps(scores), scores.strangers.accepted(_grid(scores)), strict=True)
            if share.high <= goal
        ),
        None,
    )
    needed = count_needed(goal)
    return Suggestion(goal=goal, threshold=lowest, pairs=scores.strangers.total, needed=needed)


def _steps(scores: Scores) -> range:
    return range(-int(-scores.floor * STEPS // 1), 100 * STEPS + 1)


def _grid(scores: Scores) -> list[float]:
    return [step / STEPS for step in _steps(scores)]
