"""The command that makes up schools."""

from dataclasses import asdict
from pathlib import Path
from shlex import quote

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import JSON, settings_of
from eduguard.commands.words import Command
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import print_note, print_step, record

GROUP = "Portability"
EXAMPLES = {
    "generate": "inv generate made_up --students 500 --schools 2",
}


@task(
    klass=Command,
    words="FOLDER",
    help={
        "folder": "where the fixtures are written: a new one, or one that this command has made",
        "students": "how many, over all schools",
        "schools": "how many",
        "photos": "draw a portrait of each student",
        "seed": "any text; a different seed makes up different people",
        "json": JSON,
    },
)
def generate(
    c: Context,
    folder: str,
    students: int = 500,
    schools: int = 1,
    seed: str = "1",
    photos: bool = False,
    json: bool = False,
) -> None:
    """Make up schools with families, classes and a year of attendance, as fixtures in a folder."""
    from eduguard import portability
    from eduguard.progress import Progress

    settings, place = settings_of(c), Path(folder)
    world = portability.World(seed=seed, students=students, schools=schools, photos=photos)
    with Progress() as progress:
        done = portability.generate(
            place,
            world,
            begin=lambda unit, total: progress.begin("generate", total, unit).advance,
            note=print_note,
        )
    made = f"{amount(done.rows, 'row')}, {amount(done.files, 'file')}, {done.bytes / 1e6:,.1f} MB"
    print_step("generate", f"{folder}: {made}" + ("" if done.is_new else "; the same as before"))
    record({"folder": folder, **asdict(done)})
    print_note(_way_on(settings, place, schools))


def _way_on(settings: Settings, folder: Path, schools: int) -> str:
    """Return the command that loads the folder, and the setting that it needs for many schools."""
    command = f"Load it: INVOKE_SEED_FOLDER={quote(str(folder.resolve()))} inv full"
    target = settings.target
    unnamed = [key for number in range(schools) if (key := f"school-{number + 1:03}") not in target.collections]
    if len(unnamed) <= 1:
        return command
    named = ", ".join(f"{key}: {target.collection}-{key.removeprefix('school-')}" for key in unnamed[1:])
    return f"First name the schools' collections in invoke.yaml, targets.{target.name}.collections: {named}\n{command}"
