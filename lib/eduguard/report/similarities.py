"""Find similar faces, and measure how similar own photos and strangers are: one search for each face; read-only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add

from eduguard.evaluation import Pair, Scores, name_photos, score, search_each
from eduguard.report.facts import Facts, shown_places
from eduguard.targets import target_collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarities:
    """The result of the searches."""

    scores: Scores
    threshold: float

    @property
    def look_alikes(self) -> tuple[Pair, ...]:
        """Return the pairs of different students' photos at or above the threshold, the most similar first."""
        return self.scores.look_alikes


def count_faces(facts: Facts) -> int:
    """Return how many faces there are to search for."""
    return sum(len(name_photos(place.faces)) for place in shown_places(facts) if isinstance(place.faces, list))


def search_faces(facts: Facts, *, at_once: int, advance: Callable[[], None]) -> Similarities | None:
    """Search each collection for each of its faces with an external image id of ours; None if there are none.

    Raises:
        EduguardError: if AWS does not answer a search.
    """
    threshold, found = facts.settings.match_threshold, list[Scores]()
    for place in shown_places(facts):
        photos = name_photos(place.faces) if isinstance(place.faces, list) else []
        if photos:
            collection = target_collection(facts.settings, place.place.collection)
            searches = search_each(photos, collection, keep_from=threshold, at_once=at_once, advance=advance)
            found.append(score(photos, searches, keep_from=threshold))
    return Similarities(scores=reduce(add, found), threshold=threshold) if found else None
