"""The command that writes a report as one HTML page."""

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import COLLECTION, JSON, SCHOOL, settings_of
from eduguard.commands.words import Command
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note, print_step, record

if TYPE_CHECKING:
    from eduguard.report import Facts, Similarities

GROUP = "Checks"
EXAMPLES = {
    "report": "inv report school.html",
}


@task(
    klass=Command,
    words="FILE",
    help={
        "file": "the page to write, such as school.html; an existing page is replaced",
        "names": "show the students' names",
        "thumbnails": "show small pictures of photos that are alike",
        "quick": "leave out look-alikes and similarities, which take a request for each face",
        "collection": COLLECTION,
        "school": SCHOOL,
        "json": JSON,
        "yes": "do not ask before requests are made that cost money",
    },
)
def report(
    c: Context,
    file: str,
    names: bool = False,
    thumbnails: bool = False,
    quick: bool = False,
    collection: str = "",
    school: str = "",
    json: bool = False,
    yes: bool = False,
) -> None:
    """Write a report as one HTML page: counts, drift and its commands, look-alikes, similarities, migrations."""
    from datetime import UTC, datetime

    from eduguard.portability import at_pace
    from eduguard.report import check_file, make_page, read_facts, read_thumbnails, render
    from eduguard.students.private_files import write_private
    from eduguard.targets import target_bucket

    check_file(Path(file))
    settings = at_pace(settings_of(c, collection, school))
    facts, made_at = read_facts(settings, names=names), datetime.now(UTC)
    unsearched = _why_not_searched(facts, quick=quick, yes=yes)
    found, unsearched = (None, unsearched) if unsearched else _search(settings, facts)
    page = make_page(facts, found, unsearched=unsearched, made_at=made_at, names=names, thumbnails=thumbnails)
    pictures = read_thumbnails(page.pictured, target_bucket(settings)) if thumbnails else {}
    content = render(page, pictures).encode()
    write_private(Path(file), content)
    counts = {"disagreeing": page.disagreeing(), "unread": len(page.unread)}
    record({"file": file, "bytes": len(content), "verdict": page.verdict, **counts, "not_searched": unsearched or None})
    if unsearched and not quick:
        print_note(unsearched)
    print_step("report", f"{file}: {page.summary()}")


def _why_not_searched(facts: "Facts", *, quick: bool, yes: bool) -> str:
    """Return why the faces are not searched for; an empty text if they are: the search is free, or the user agreed."""
    from eduguard.portability import estimate
    from eduguard.report import count_faces

    settings, faces = facts.settings, count_faces(facts)
    if quick:
        return "Not searched for: the page was made with --quick."
    if yes or settings.target.has_local_cloud or not faces:
        return ""
    cost = estimate(settings, requests=faces)
    searched = f"Search for {amount(faces, 'face')} on {settings.target}"
    if ask(f"{searched} for ${cost.once:,.2f}, to find look-alikes? [y/N]") == "y":
        return ""
    return f"Not searched for: it takes {faces:,} requests, {cost}. inv report FILE.html --yes makes them."


def _search(settings: Settings, facts: "Facts") -> "tuple[Similarities | None, str]":
    """Return what the searches find, or why they failed; the rest of the page is still useful."""
    from eduguard.errors import EduguardError
    from eduguard.portability import choose_threads
    from eduguard.progress import Progress
    from eduguard.report import count_faces, search_faces

    at_once = choose_threads(settings.target.requests_per_second)
    try:
        with Progress() as progress:
            step = progress.begin("report", count_faces(facts), "faces")
            return search_faces(facts, at_once=at_once, advance=step.advance), ""
    except EduguardError as error:
        return None, f"The searches failed: {error}"
