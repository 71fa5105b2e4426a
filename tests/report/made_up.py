"""A page with a given text in every place where a text can be."""

from dataclasses import replace
from datetime import UTC, datetime

from eduguard.checks import BROKEN, DRIFT, OK, Finding
from eduguard.evaluation import Inseparable, Pair, Scores, Tally
from eduguard.report import Page, Similarities
from eduguard.report.drift import Group, Item
from eduguard.report.pages import Couple, Side

PAIR = Pair(97.5, "student-001-photo-1", "student-002-photo-1")
SCORES = Scores(
    photos=3,
    students=2,
    single=1,
    own=Tally.of([99.0]),
    strangers=Tally.of([97.5, 12.0]),
    nearest_own=Tally.of([99.0, 99.0]),
    nearest_stranger=Tally.of([97.5, 97.5, 12.0]),
    worst_own=(),
    worst_strangers=(PAIR,),
    inseparable=(Inseparable(student_id="student-001", own=90.0, stranger=PAIR),),
    look_alikes=(PAIR,),
    floor=0.0,
)


def page(text: str, **others: object) -> Page:
    """A page with a given text in every place where a text can be."""
    group = Group(kind="row", title=text, remedy=f"inv sync-faces; {text}", items=(Item(text, text), Item("s-photo-1")))
    couple = Couple(title=text, sides=(Side(name=text, note=text), Side(name="student-001-photo-1")))
    made = Page(
        target=text,
        made_at=datetime(2026, 11, 28, tzinfo=UTC),
        verdict=DRIFT,
        findings=(
            Finding(step=text, verdict=OK, text=text),
            Finding(step=text, verdict=BROKEN, text=text, remedy=text),
        ),
        counts=((text, text),),
        schools=({"school": text, "collection": text, "rows": 1, "placeholders": None, "in_collection": 2},),
        unsynced=(group,),
        apart=(group,),
        unread=(text,),
        look_alikes=(couple,),
        more_look_alikes=1,
        duplicates=(couple,),
        more_duplicates=0,
        similarities=Similarities(scores=SCORES, threshold=95.0),
        unsearched="",
        migrations={"applied": [text], "pending": [text], "problem": None},
        names={"s": text, "student-001": text},
        has_names=True,
        has_thumbnails=True,
    )
    return replace(made, **others)  # type: ignore[arg-type]
