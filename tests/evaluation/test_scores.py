"""The combined results of all searches, and the effect of each threshold: pure functions."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eduguard.aws import MOST_MATCHES, Face, Match
from eduguard.evaluation.class_photos import ClassScores
from eduguard.evaluation.rates import choose_thresholds, rate, suggest_threshold
from eduguard.evaluation.scores import Scores, Tally, score
from eduguard.evaluation.searches import Pair, Photo, in_steps, name_photos, sort_out

SIMILARITIES = st.integers(0, 10_000).map(lambda step: step / 100)
School = dict[tuple[str, str], float]


def photo(name: str) -> Photo:
    return Photo(name, f"id-{name}", name.rpartition("-photo-")[0])


def evaluate(photos: list[Photo], similar: School, keep_from: float = 100.0) -> Scores:
    """Search for each photo as a collection does: return all others, the most similar first."""
    known = {each.face_id: each for each in photos}

    def search(probe: Photo) -> list[Match]:
        others = [
            (similar[min(probe.name, each.name), max(probe.name, each.name)], each) for each in photos if each != probe
        ]
        ordered = sorted(others, key=lambda each: -each[0])
        return [Match(face_id=each.face_id, external_image_id=each.name, similarity=score) for score, each in ordered]

    searches = [sort_out(each, search(each), known, keep_from=keep_from) for each in photos]
    return score(photos, searches, keep_from=keep_from)


@st.composite
def schools(draw: st.DrawFn) -> tuple[list[Photo], School]:
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=5))
    photos = sorted(photo(f"s{student}-photo-{n + 1}") for student, size in enumerate(sizes) for n in range(size))
    names = [each.name for each in photos]
    pairs = list(combinations(names, 2))
    return photos, dict(zip(pairs, draw(st.lists(SIMILARITIES, min_size=len(pairs), max_size=len(pairs))), strict=True))


def of_one(pair: tuple[str, str]) -> bool:
    return photo(pair[0]).student_id == photo(pair[1]).student_id


@given(schools(), SIMILARITIES)
def test_pairs_are_counted_as_one_would_count_them_one_by_one(
    school: tuple[list[Photo], School], threshold: float
) -> None:
    photos, similar = school
    (rates,) = rate(evaluate(photos, similar), [threshold])
    strangers = [value for pair, value in similar.items() if not of_one(pair)]
    own = [value for pair, value in similar.items() if of_one(pair)]
    assert (rates.false_accepts.count, rates.false_accepts.of) == (
        sum(value >= threshold for value in strangers),
        len(strangers),
    )
    assert (rates.false_rejects.count, rates.false_rejects.of) == (sum(value < threshold for value in own), len(own))


@given(schools(), SIMILARITIES)
def test_photos_are_counted_as_one_would_count_them_one_by_one(
    school: tuple[list[Photo], School], threshold: float
) -> None:
    photos, similar = school
    (rates,) = rate(evaluate(photos, similar), [threshold])

    def best(name: str, *, own: bool) -> float | None:
        return max((value for pair, value in similar.items() if name in pair and of_one(pair) is own), default=None)

    strangers = [best(each.name, own=False) for each in photos]
    own = [found for each in photos if (found := best(each.name, own=True)) is not None]
    assert rates.mistakable.count == sum(found is not None and found >= threshold for found in strangers)
    assert rates.mistakable.of == len(photos)
    assert (rates.unrecognised.count, rates.unrecognised.of) == (sum(found < threshold for found in own), len(own))


@given(schools())
def test_a_higher_threshold_accepts_no_more_and_rejects_no_less(school: tuple[list[Photo], School]) -> None:
    rates = rate(evaluate(*school), [step / 2 for step in range(201)])
    for lower, higher in pairwise(rates):
        assert higher.false_accepts.count <= lower.false_accepts.count
        assert higher.mistakable.count <= lower.mistakable.count
        assert higher.false_rejects.count >= lower.false_rejects.count
        assert higher.unrecognised.count >= lower.unrecognised.count


@given(schools())
def test_a_student_is_named_exactly_where_no_threshold_separates(school: tuple[list[Photo], School]) -> None:
    photos, similar = school
    named = {each.student_id for each in evaluate(photos, similar).inseparable}
    grid = sorted({*similar.values(), *(value + 0.005 for value in similar.values())})
    for student in {each.student_id for each in photos}:
        mine = [each.name for each in photos if each.student_id == student]
        if len(mine) == 1:
            assert student not in named
            continue
        own = [max(value for pair, value in similar.items() if name in pair and of_one(pair)) for name in mine]
        strangers = [
            value for pair, value in similar.items() if not of_one(pair) and (pair[0] in mine or pair[1] in mine)
        ]
        separates = [t for t in grid if all(o >= t for o in own) and all(s < t for s in strangers)]
        assert (student in named) is not bool(separates)


@pytest.mark.slow
@given(schools(), st.floats(0.01, 0.9))
def test_the_suggestion_is_the_lowest_threshold_that_keeps_to_the_goal(
    school: tuple[list[Photo], School], goal: float
) -> None:
    scores = evaluate(*school)
    suggestion = suggest_threshold(scores, goal)
    if suggestion.threshold is None:
        assert rate(scores, [100.0])[0].false_accepts.high > goal
        return
    assert rate(scores, [suggestion.threshold])[0].false_accepts.high <= goal
    if suggestion.threshold > 0:
        assert rate(scores, [suggestion.threshold - 0.01])[0].false_accepts.high > goal


def test_too_few_pairs_give_no_suggestion_and_say_how_many_are_needed() -> None:
    photos = [photo("a-photo-1"), photo("b-photo-1")]
    suggestion = suggest_threshold(evaluate(photos, {("a-photo-1", "b-photo-1"): 10.0}), 0.001)
    assert suggestion.threshold is None
    assert str(suggestion) == (
        "too few pairs for at most 0.1 % false accepts: the interval is wider than that. There are 1 pair of strangers, "
        "3,838 are the least"
    )


def test_enough_pairs_that_are_all_alike_give_no_suggestion_either() -> None:
    photos = sorted(photo(f"s{number}-photo-1") for number in range(30))
    alike = dict.fromkeys(combinations([each.name for each in photos], 2), 100.0)
    suggestion = suggest_threshold(evaluate(photos, alike), 0.01)
    assert suggestion.threshold is None
    assert str(suggestion).startswith("no threshold keeps to at most 1 % false accepts")


@given(schools(), schools())
def test_two_collections_are_the_sum_of_their_tallies(
    one: tuple[list[Photo], School], other: tuple[list[Photo], School]
) -> None:
    both = evaluate(*one) + evaluate(*other)
    for each, left, right in zip(
        rate(both, [50.0]), rate(evaluate(*one), [50.0]), rate(evaluate(*other), [50.0]), strict=True
    ):
        assert each.false_accepts.count == left.false_accepts.count + right.false_accepts.count
        assert each.false_rejects.of == left.false_rejects.of + right.false_rejects.of


def test_what_a_full_answer_leaves_out_is_below_every_threshold_shown() -> None:
    photos = sorted(photo(f"s{number:05}-photo-1") for number in range(MOST_MATCHES + 2))
    known = {each.face_id: each for each in photos}
    matches = [
        Match(face_id=each.face_id, external_image_id=each.name, similarity=90.0)
        for each in photos[1 : MOST_MATCHES + 1]
    ]
    found = sort_out(photos[0], matches, known, keep_from=100)
    assert found.floor == 90.0
    scores = score(photos, [found])
    assert min(choose_thresholds(scores)) == 90.0
    assert suggest_threshold(scores, 0.9).threshold == 90.0


@pytest.mark.parametrize(("similarity", "steps"), [(0.29, 29), (94.99999, 9499), (95.0, 9500), (100.0, 10000)])
def test_a_similarity_reaches_the_hundredths_that_it_says(similarity: float, steps: int) -> None:
    assert in_steps(similarity) == steps


@given(st.lists(SIMILARITIES), SIMILARITIES)
def test_a_tally_counts_from_a_threshold_on(similarities: list[float], threshold: float) -> None:
    assert Tally.of(similarities).count_from([threshold]) == [sum(each >= threshold for each in similarities)]


def test_of_two_faces_with_one_name_the_one_that_the_row_holds_counts() -> None:
    faces = [Face("x", "a-photo-1", 99), Face("w", "a-photo-1", 99), Face("z", "temp_attendance_1", 99)]
    assert name_photos(faces) == [Photo("a-photo-1", "w", "a")]
    assert name_photos(faces, held={"a-photo-1": "x"}) == [Photo("a-photo-1", "x", "a")]
    assert name_photos(faces, held={"a-photo-1": "placeholder"}) == []


def test_the_worst_pairs_are_named_once_by_their_ids() -> None:
    photos = [photo(name) for name in ("a-photo-1", "a-photo-2", "b-photo-1")]
    similar = {("a-photo-1", "a-photo-2"): 70.0, ("a-photo-1", "b-photo-1"): 96.0, ("a-photo-2", "b-photo-1"): 20.0}
    scores = evaluate(photos, similar, keep_from=95)
    assert scores.worst_own == (Pair(70.0, "a-photo-1", "a-photo-2"),)
    assert scores.worst_strangers[0] == Pair(96.0, "a-photo-1", "b-photo-1")
    assert scores.look_alikes == (Pair(96.0, "a-photo-1", "b-photo-1"),)
    assert [str(each) for each in scores.inseparable] == [
        "a: own photos reach 70.00 only, a-photo-1 and b-photo-1 (96.00)"
    ]


def test_class_photos_have_rates_of_their_own() -> None:
    scores = evaluate([photo("a-photo-1"), photo("b-photo-1")], {("a-photo-1", "b-photo-1"): 10.0})
    classes = ClassScores(photos=1, faces=3, own=Tally.of([99.0], 2), strangers=Tally.of([96.0], 3))
    (rates,) = rate(scores, [95.0], classes)
    assert rates.class_accepts
    assert (rates.class_accepts.count, rates.class_accepts.of) == (1, 3)
    assert rates.as_json()["class_photos"]["false_rejects"]["count"] == 1
