"""The questions of a sync before it writes or deletes, and the accepted answers; without a server."""

from collections.abc import Callable

import pytest

from eduguard.aws import Face
from eduguard.errors import EduguardError
from eduguard.schools import Place
from eduguard.sync.plan import FaceRow, Plan, pair_up, plan_sync
from eduguard.sync.run import Options, Outcome, _confirm_collection, _confirm_prune
from eduguard.synced import Trust

Asking = tuple[list[str], Callable[[str], str | None]]
LOST = "4 of 10 linked rows would be relinked or find no face: arn:x has 6 faces"
IS_IT = "is it the right collection, account and region?"


def asking(answer: str | None) -> Asking:
    asked: list[str] = []

    def ask(question: str) -> str | None:
        asked.append(question)
        return None if answer is None else "".join(answer)  # a different object than the name, like typed text

    return asked, ask


def plan_losing(lost: int) -> Plan:
    rows = [FaceRow(f"s-photo-{number}", f"f{number}") for number in range(10)]
    faces = [Face(f"f{number}", f"s-photo-{number}", 99) for number in range(lost, 10)]
    return plan_sync(pair_up(rows, faces))


def confirm_collection(plan: Plan, answer: str | None, *doubts: str, confirm: str = "") -> list[str]:
    asked, ask = asking(answer)
    options = Options(confirm=confirm)
    _confirm_collection(plan, Trust(doubts=doubts), options, "faces", "arn:x has 6 faces", ask)
    return asked


def test_a_plan_that_loses_few_rows_of_a_trusted_collection_asks_nothing() -> None:
    assert confirm_collection(plan_losing(3), None) == []


def test_many_lost_rows_and_every_doubt_are_asked_about_in_one_question() -> None:
    end = "\nType the collection's name to go on:"
    assert confirm_collection(plan_losing(4), "faces") == [f"{LOST}: {IS_IT}{end}"]
    assert confirm_collection(plan_losing(4), "faces", "a", "b") == [f"a; b; {LOST}: {IS_IT}{end}"]
    assert confirm_collection(plan_losing(3), "faces", "a") == [f"a: {IS_IT}{end}"]


@pytest.mark.parametrize("answer", [None, "", "y", "face", "faces "])
def test_another_answer_than_the_collections_name_is_refused(answer: str | None) -> None:
    with pytest.raises(EduguardError) as raised:
        confirm_collection(plan_losing(4), answer)
    assert raised.value.message == f"{LOST}: {IS_IT}"
    assert raised.value.hint == "Nothing was written. If it is the right one, pass --confirm-collection faces"


def test_the_collections_name_may_be_passed_among_others() -> None:
    assert confirm_collection(plan_losing(4), None, confirm="faces") == []
    assert confirm_collection(plan_losing(4), None, confirm="other,faces") == []
    with pytest.raises(EduguardError):
        confirm_collection(plan_losing(4), None, confirm="other,faces2")


def confirm_prune(count: int, listed: int, answer: str | None, confirm: str = "") -> list[str]:
    asked, ask = asking(answer)
    _confirm_prune(count, listed, "faces", Options(prune="orphans", confirm=confirm), ask)
    return asked


def test_few_faces_are_deleted_after_a_plain_yes() -> None:
    assert confirm_prune(3, 10, "y") == ["Delete 3 orphans from collection faces? [y/N]"]
    for answer in (None, "", "n", "faces", "z"):
        with pytest.raises(EduguardError) as raised:
            confirm_prune(3, 10, answer)
        assert raised.value.message == "3 orphans were not deleted from faces: 3 of its 10 faces"
        assert raised.value.hint == "The FaceIds are written; `--yes` deletes without asking."


def test_many_faces_are_deleted_only_after_the_collections_name() -> None:
    problem = "4 orphans were not deleted from faces: 4 of its 10 faces"
    assert confirm_prune(4, 10, "faces") == [f"{problem}\nType the collection's name to go on:"]
    assert confirm_prune(4, 10, None, confirm="faces") == []
    with pytest.raises(EduguardError) as raised:
        confirm_prune(4, 10, "y")
    assert raised.value.message == problem
    assert str(raised.value.hint).startswith("The FaceIds are written. If all rows are in this database")


@pytest.mark.parametrize("kind", ["", "duplicates", "orphans", "temporary"])
def test_the_kinds_that_can_be_pruned_are_known(kind: str) -> None:
    assert Options(prune=kind).prune == kind


def test_another_kind_to_prune_is_refused_with_those_there_are() -> None:
    with pytest.raises(EduguardError) as raised:
        Options(prune="orphan")
    assert raised.value.message == "--prune orphan is not known"
    assert raised.value.hint == "One of duplicates, orphans, temporary."


@pytest.mark.parametrize(
    ("adopted", "pruned", "end"), [(0, 0, ""), (2, 0, ", 2 adopted"), (0, 1, ", 1 pruned"), (2, 1, ", 2 adopted, 1 pruned")]
)  # fmt: skip
def test_an_outcome_names_adopted_and_pruned_faces_where_there_are_any(adopted: int, pruned: int, end: str) -> None:
    done = Outcome(place=Place(collection="faces", school="a"), plan=plan_losing(1), adopted=adopted, pruned=pruned)
    assert done.summary() == f"0 to sync, 9 unchanged, 1 not in collection, 0 in collection only{end}"
    assert done.as_json() == {
        "collection": "faces",
        "school": "a",
        "applied": False,
        "counts": done.plan.counts() | {"adopted": adopted, "pruned": pruned},
        "items": [
            {
                "kind": "missing",
                "external_image_id": "s-photo-0",
                "before": "f0",
                "after": "f0",
                "holder": None,
            }
        ],
    }
