"""The combined result of all searches: the similarities of each student's photos and of strangers' photos; pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from itertools import accumulate

from eduguard.evaluation.intervals import Share
from eduguard.evaluation.searches import STEPS, Found, Pair, Photo, in_steps

_WORST = 10  # pairs to name


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of similarities at each hundredth; unknown similarities count as below all others."""

    counts: Mapping[int, int]
    total: int

    @classmethod
    def of(cls, similarities: Iterable[float], total: int | None = None) -> "Tally":
        """Count similarities, each from 0 to 100; `total` includes the unknown ones."""
        counts = Counter(map(in_steps, similarities))
        return cls(counts, counts.total() if total is None else total)

    def count_from(self, thresholds: Sequence[float]) -> list[int]:
        """Return how many similarities reach each threshold."""
        steps = sorted(self.counts)
        sums = [0, *accumulate(self.counts[step] for step in steps)]
        reached = (bisect_left(steps, -int(-round(each * STEPS, 6) // 1)) for each in thresholds)
        return [sums[-1] - sums[position] for position in reached]

    def accepted(self, thresholds: Sequence[float]) -> list[Share]:
        """Return the share that each threshold accepts."""
        return [Share(count=count, of=self.total) for count in self.count_from(thresholds)]

    def rejected(self, thresholds: Sequence[float]) -> list[Share]:
        """Return the share that each threshold rejects."""
        return [Share(count=self.total - count, of=self.total) for count in self.count_from(thresholds)]

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(Counter(self.counts) + Counter(other.counts), self.total + other.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inseparable:
    """A student whom no threshold can tell from others: a stranger's photo is as similar as the student's own."""

    student_id: str
    own: float
    """the best similarity of the student's least recognisable photo with another of the student's photos"""
    stranger: Pair
    """the most similar photo of somebody else"""

    def __str__(self) -> str:
        return f"{self.student_id}: own photos reach {self.own:.2f} only, {self.stranger}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The similarities of one collection or of several."""

    photos: int
    students: int
    single: int
    """students with only one photo, which cannot be compared with another of their own"""
    own: Tally
    """pairs of photos of one student"""
    strangers: Tally
    """pairs of photos of different students"""
    nearest_own: Tally
    """the best match of each photo among its student's other photos, if there are any"""
    nearest_stranger: Tally
    """the best match of each photo among other students' photos"""
    worst_own: tuple[Pair, ...]
    worst_strangers: tuple[Pair, ...]
    inseparable: tuple[Inseparable, ...]
    look_alikes: tuple[Pair, ...]
    """pairs of strangers at or above `keep_from`"""
    floor: float
    """below this similarity, not all strangers are known"""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            photos=self.photos + other.photos,
            students=self.students + other.students,
            single=self.single + other.single,
            own=self.own + other.own,
            strangers=self.strangers + other.strangers,
            nearest_own=self.nearest_own + other.nearest_own,
            nearest_stranger=self.nearest_stranger + other.nearest_stranger,
            worst_own=tuple(nsmallest(_WORST, self.worst_own + other.worst_own)),
            worst_strangers=tuple(nlargest(_WORST, self.worst_strangers + other.worst_strangers)),
            inseparable=self.inseparable + other.inseparable,
            look_alikes=tuple(sorted(self.look_alikes + other.look_alikes, reverse=True)),
            floor=max(self.floor, other.floor),
        )


def score(photos: Sequence[Photo], searches: Iterable[Found], *, keep_from: float = 100.0) -> Scores:
    """Combine the searches for all photos of a collection.

    Args:
        photos: the photos of the collection.
        searches: the results, one for each photo.
        keep_from: the least similarity at which strangers count as look-alikes.
    """
    sizes = Counter(photo.student_id for photo in photos)
    own, strangers, tally = dict[tuple[str, str], float](), dict[tuple[str, str], float](), Counter[int]()
    lone, nearest, floor = list[tuple[str, float]](), list[tuple[str, Pair | None]](), 0.0
    for found in searches:
        student = found.photo.student_id
        for pair in found.own:  # the pair is found from both photos: use the lower similarity
            own[pair[1:]] = min(pair.similarity, own.get(pair[1:], pair.similarity))
        for pair in found.strangers:
            strangers[pair[1:]] = max(pair.similarity, strangers.get(pair[1:], pair.similarity))
        tally.update(found.tally)
        if sizes[student] > 1:
            lone.append((student, max((pair.similarity for pair in found.own), default=0.0)))
        nearest.append((student, max(found.strangers, default=None)))
        floor = max(floor, found.floor)
    of_own = sum(size * (size - 1) // 2 for size in sizes.values())
    pairs = len(photos) * (len(photos) - 1) // 2
    known = sorted((Pair(similarity, *names) for names, similarity in strangers.items()), reverse=True)
    return Scores(
        photos=len(photos),
        students=len(sizes),
        single=sum(size == 1 for size in sizes.values()),
        own=Tally.of(own.values(), of_own),
        strangers=Tally(tally, pairs - of_own),
        nearest_own=Tally.of(similarity for _, similarity in lone),
        nearest_stranger=Tally.of((pair.similarity for _, pair in nearest if pair), len(nearest)),
        worst_own=tuple(nsmallest(_WORST, (Pair(similarity, *names) for names, similarity in own.items()))),
        worst_strangers=tuple(known[:_WORST]),
        inseparable=tuple(find_inseparable(lone, nearest)),
        look_alikes=tuple(pair for pair in known if pair.similarity >= keep_from),
        floor=floor,
    )


def find_inseparable(
    own: Iterable[tuple[str, float]], strangers: Iterable[tuple[str, Pair | None]]
) -> list[Inseparable]:
    """Return the students with a stranger who is at least as similar as their least recognisable photo.

    Args:
        own: each photo's student, and the photo's highest similarity with another photo of the student.
        strangers: each photo's student, and the pair with the most similar photo of somebody else.
    """
    lowest, highest = dict[str, float](), dict[str, Pair]()
    for student, similarity in own:
        lowest[student] = min(similarity, lowest.get(student, similarity))
    for student, pair in strangers:
        if pair:
            highest[student] = max(pair, highest.get(student, pair))
    return [
        Inseparable(student_id=student, own=lowest[student], stranger=highest[student])
        for student in sorted(lowest.keys() & highest.keys())
        if highest[student].similarity >= lowest[student]
    ]
