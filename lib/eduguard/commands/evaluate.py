"""The command that measures how well the enrolled photos are told apart."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, settings_of
from eduguard.errors import EduguardError
from eduguard.settings import Settings
from eduguard.terminal import ask, print_rows, print_step, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eduguard.evaluation import ClassScores, Evaluation, Photo, Plan, Scores
    from eduguard.progress import Progress
    from eduguard.students import Held
    from eduguard.students.pictures import Picture

GROUP = "Checks"
EXAMPLES = {
    "evaluate": "inv evaluate --classes photos-of-classes --false-accepts 0.001",
}


class Work(NamedTuple):
    """The photos to search for."""

    photos: "Mapping[str, list[Photo]]"
    """by collection"""
    labels: "list[tuple[Picture, frozenset[str]]]"
    """class photos, and who is in each"""
    held: "Held"


@task(
    help={
        "classes": "a folder with class photos and labels.csv, which says who is in each (docs/evaluate.md)",
        "false-accepts": "the wanted rate of false accepts, from 0 to 1",
        "collection": COLLECTION,
        "school": SCHOOL,
        "dry-run": "only show how many requests there would be, how long they take and what they cost",
        "json": JSON,
        "yes": "do not ask before requests are made that cost money",
    }
)
def evaluate(
    c: Context,
    classes: str = "",
    false_accepts: float = 0.001,
    collection: str = "",
    school: str = "",
    dry_run: bool = False,
    json: bool = False,
    yes: bool = False,
) -> None:
    """Search for each enrolled photo among the others; show false accepts and rejects by threshold, and suggest one."""
    from eduguard.portability import at_pace

    if not 0 < false_accepts < 1:
        raise EduguardError(f"--false-accepts {false_accepts:g} is not between 0 and 1", hint="0.001 is one in 1,000.")
    settings = at_pace(settings_of(c, collection, school))
    work = _read(settings, classes)
    plan = _plan(settings, work)
    record({"plan": plan.as_json()})
    print_step("evaluate", str(plan))
    if dry_run:
        return
    _require_consent(settings, plan, yes=yes)
    found = _evaluate(settings, work, false_accepts)
    record(found.as_json())
    print_rows(found.headers, found.rows())
    for line in found.lines():
        print_step("evaluate", line)


def _read(settings: Settings, classes: str) -> Work:
    """Return each collection's photos whose FaceId is in a row, and the class photos; read-only.

    Raises:
        EduguardError: if no row holds the FaceId of a face, or a label is wrong.
    """
    from eduguard import evaluation
    from eduguard.aws import read_faces
    from eduguard.postgres import connect
    from eduguard.schools import Scope, check_students
    from eduguard.students import read_held, read_picture
    from eduguard.sync import read_rows
    from eduguard.targets import target_collection, target_database, target_places

    labels = evaluation.read_labels(Path(classes)) if classes else {}
    pictures = [(read_picture(photo), students) for photo, students in labels.items()]
    with connect(target_database(settings), purpose="evaluate") as conn:
        check_students(conn, [student for students in labels.values() for student in students])
        rows = {place.collection: dict(read_rows(conn, Scope(place=place))) for place in target_places(settings, conn)}
        held = read_held(conn)
    photos = {
        name: evaluation.name_photos(read_faces(target_collection(settings, name)), held=own)
        for name, own in rows.items()
        if own
    }
    if not any(photos.values()):
        raise EduguardError(
            "No row holds the FaceId of a face in its collection",
            hint="Run `inv sync-faces`; where the rows are missing too, `inv seed-full`.",
        )
    return Work(photos=photos, labels=pictures, held=held)


def _plan(settings: Settings, work: Work) -> "Plan":
    from eduguard.evaluation import Plan
    from eduguard.portability import estimate

    photos = sum(map(len, work.photos.values()))
    labels = sum(len(students) for _, students in work.labels)
    requests = photos + len(work.labels) + labels * len(work.photos)
    return Plan(
        photos=photos,
        class_photos=len(work.labels),
        labels=labels,
        estimate=estimate(settings, requests=requests),
    )


def _require_consent(settings: Settings, plan: "Plan", *, yes: bool) -> None:
    """Ask before making requests that cost money.

    Raises:
        EduguardError: without consent; nothing was searched for.
    """
    if yes or settings.target.has_local_cloud:
        return
    question = f"Make {plan.estimate.requests:,} requests on {settings.target} for ${plan.estimate.once:,.2f}? [y/N]"
    if ask(question) != "y":
        raise EduguardError("Nothing was searched for", hint="`inv evaluate --yes` searches without asking.")


def _evaluate(settings: Settings, work: Work, goal: float) -> "Evaluation":
    from eduguard import evaluation
    from eduguard.progress import Progress

    with Progress() as progress:
        scores = _score(settings, work, progress)
        classes = _score_classes(settings, work, progress) if work.labels else None
    suggestion = evaluation.suggest_threshold(scores, goal)
    thresholds = evaluation.choose_thresholds(scores, settings.match_threshold, suggestion.threshold)
    return evaluation.Evaluation(
        scores=scores,
        classes=classes,
        rates=tuple(evaluation.rate(scores, thresholds, classes)),
        current=settings.match_threshold,
        suggestion=suggestion,
    )


def _score(settings: Settings, work: Work, progress: "Progress") -> "Scores":
    from functools import reduce
    from operator import add

    from eduguard.evaluation import score, search_each
    from eduguard.portability import choose_threads
    from eduguard.targets import target_collection

    at_once = choose_threads(settings.target.requests_per_second)
    step = progress.begin("evaluate", sum(map(len, work.photos.values())), "photos")
    scores = [
        score(
            photos,
            search_each(
                photos,
                target_collection(settings, name),
                keep_from=settings.match_threshold,
                at_once=at_once,
                advance=step.advance,
            ),
        )
        for name, photos in work.photos.items()
    ]
    return reduce(add, scores)


def _score_classes(settings: Settings, work: Work, progress: "Progress") -> "ClassScores":
    from eduguard import students
    from eduguard.evaluation import score_sightings
    from eduguard.targets import target_collection

    collections = [target_collection(settings, name) for name in work.photos]
    step = progress.begin("classes", len(work.labels), "class photos")
    searches = [students.search_by_faces(each, work.held, threshold=settings.match_threshold) for each in collections]
    sightings = students.find_sightings(
        [picture for picture, _ in work.labels],
        collection=collections[0],
        search=students.search_all(searches),
        threshold=settings.match_threshold,
        advance=step.advance,
    )
    return score_sightings([students for _, students in work.labels], sightings)
