"""The doctor's verdicts on what it has read, and the commands that fix what is wrong; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from eduguard.aws import CollectionState, Face, Identity, serves
from eduguard.checks.evidence import DatabaseFacts
from eduguard.checks.look_alikes import LookAlike
from eduguard.errors import EduguardError
from eduguard.identifiers import EXTERNAL_IMAGE_ID_FORM, split_external_image_id
from eduguard.plurals import amount
from eduguard.sync import Plan

OK, DRIFT, BROKEN = "ok", "drift", "broken"
_LARGEST_SKEW = 240.0  # seconds; AWS refuses signatures that are 5 minutes off
_SHOWN = 5  # ids named for each kind of drift
_AGAIN = "inv photos pull FOLDER, then inv enrol --from FOLDER"
_REMEDIES = {
    "row": "inv enrol --from FOLDER, where FOLDER has the photos",
    "photo": _AGAIN,
    "row + face": "inv enrol --from FOLDER, where FOLDER has the photos; attendance works without them",
}
_UNKNOWN = "inv unenrol STUDENT; or inv seed-full, where the fixtures have the student"
_LOOK = "Look whose photos they are: inv unenrol STUDENT, then enrol the right ones; twins stay as they are"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A complete command of ours, ready to run; flags by the name of their parameter."""

    name: str
    flags: Mapping[str, str | bool] = field(default_factory=dict)

    def __str__(self) -> str:
        flags = (
            f"--{name.replace('_', '-')}{'' if value is True else f' {value}'}" for name, value in self.flags.items()
        )
        return " ".join(["inv", self.name, *flags])


_SYNC = Command(name="sync-faces")
_COMMANDS = {
    "face": (Command(name="sync-faces", flags={"prune": "orphans"}),),
    "row + photo": (Command(name="reindex"), _SYNC),
    "photo + face": (Command(name="sync-faces", flags={"adopt": True}),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: ok, drift (two places disagree) or broken (it cannot work), and how to fix it."""

    step: str
    verdict: str
    text: str
    remedy: str | None = None
    """as text, which includes the commands"""
    commands: tuple[Command, ...] = ()
    """the commands that fix it, in this order"""

    def __str__(self) -> str:
        return f"{self.verdict:<6} {self.step}: {self.text}" + (f"\n       {self.remedy}" if self.remedy else "")


def mended_by(step: str, verdict: str, text: str, *commands: Command, words: str = "") -> Finding:
    """Return a finding whose remedy is the words, if there are any, followed by the commands."""
    remedy = words + ", then ".join(map(str, commands))
    return Finding(step=step, verdict=verdict, text=text, remedy=remedy, commands=commands)


def failed(step: str, error: EduguardError, *commands: Command) -> Finding:
    """Return a finding for something that could not be read; the commands that fix it come before the error's hint."""
    found = mended_by(step, BROKEN, error.message, *commands)
    return replace(found, remedy="; ".join(filter(None, [found.remedy, error.hint])) or None)


def worst(findings: Iterable[Finding]) -> str:
    """Return the most serious verdict."""
    verdicts = {finding.verdict for finding in findings}
    return next((verdict for verdict in (BROKEN, DRIFT) if verdict in verdicts), OK)


def judge_clock(identity: Identity) -> list[Finding]:
    """Return a finding if the clock is so far off that AWS refuses signatures."""
    if abs(identity.clock_ahead) <= _LARGEST_SKEW:
        return []
    text = f"this machine is {identity.clock_ahead:+.0f} s ahead of AWS"
    return [Finding(step="clock", verdict=BROKEN, text=text, remedy="Set the clock, by NTP for instance.")]


def judge_region(region: str) -> list[Finding]:
    """Say whether AWS has Rekognition in a region."""
    if serves(region):
        return [Finding(step="region", verdict=OK, text=region)]
    remedy = "Set `region` of the target to the one in which the collection was made."
    return [Finding(step="region", verdict=BROKEN, text=f"AWS has no Rekognition in {region}", remedy=remedy)]


def judge_database(database: DatabaseFacts) -> Finding:
    """Say whether the database exists, is migrated and has faces."""
    if not database.exists:
        text = f"{database.name} does not exist on {database.server}"
        return mended_by("database", BROKEN, text, Command(name="full"))
    if database.pending:
        return mended_by("database", DRIFT, f"pending: {', '.join(database.pending)}", Command(name="migrate"))
    if not database.faces:
        return mended_by("database", DRIFT, f"{database.name} has no faces", Command(name="seed-full"))
    return Finding(step="database", verdict=OK, text=f"{database.name}, {amount(database.faces, 'face')}")


def judge_collection(
    state: CollectionState, faces: list[Face], *, commands: tuple[Command, ...] = (Command(name="enrol"),)
) -> Finding:
    """Say whether a collection has faces, whether some are ours, and whether it lists as many as it counts."""
    if not faces:
        return mended_by("collection", DRIFT, f"{state.arn} has no face", *commands)
    ours = sum(split_external_image_id(face.external_image_id or "") is not None for face in faces)
    text = f"{state.arn}, {amount(len(faces), 'face')}, {ours} with an external image id of our form"
    if ours == 0:
        words = f"Index the photos again as {EXTERNAL_IMAGE_ID_FORM}: "
        return mended_by("collection", DRIFT, text, *commands, words=words)
    if len(faces) != state.face_count:
        text += f"; it counts {state.face_count}"
        remedy = "It is changing: run this again in a minute."
        return Finding(step="collection", verdict=DRIFT, text=text, remedy=remedy)
    return Finding(step="collection", verdict=OK, text=text)


def judge_plan(plan: Plan, school: str | None = None) -> list[Finding]:
    """Say what a sync would change, and what it would leave for the user to decide."""
    found, of = [], f"{school}: " if school else ""
    changes = len(plan.link) + len(plan.relink)
    if changes:
        waiting = amount(len(plan.link), "row holds", "rows hold")
        text = f"{of}{waiting} the placeholder, {len(plan.relink)} an old FaceId"
        found.append(mended_by("sync", DRIFT, text, _SYNC))
    ways: dict[str, dict[str, str | bool]] = {
        "conflict": {"unlink_missing": True},
        "duplicate": {"prune": "duplicates"},
        "temporary": {"prune": "temporary"},
    }
    for kind, flags in ways.items():
        if count := plan.counts()[kind]:
            text = f"{of}{count} of kind {kind}"
            found.append(mended_by("sync", DRIFT, text, Command(name="sync-faces", flags=flags)))
    if not changes and not plan.conflict:
        held = amount(plan.unchanged, "row holds its FaceId", "rows hold their FaceIds")
        found.append(Finding(step="sync", verdict=OK, text=f"{of}{held}"))
    return found


def compare_places(rows: set[str], photos: set[str], faces: set[str]) -> dict[str, list[str]]:
    """Return the external image ids by where they were found: row, photo, face; each id once; pure."""
    states: dict[str, list[str]] = {}
    for external in sorted(rows | photos | faces):
        places = (("row", rows), ("photo", photos), ("face", faces))
        state = " + ".join(name for name, members in places if external in members)
        states.setdefault(state, []).append(external)
    return states


def _judge_state(state: str, ids: list[str]) -> Finding:
    if state == "row + photo + face":
        return Finding(step="photos", verdict=OK, text=f"{len(ids)} with row, photo and face")
    text = f"{len(ids)} with only {state}: {_shorten(ids)}"
    if state in _COMMANDS:
        return mended_by("photos", DRIFT, text, *_COMMANDS[state])
    return Finding(step="photos", verdict=DRIFT, text=text, remedy=_REMEDIES[state])


def judge_look_alikes(pairs: list[LookAlike]) -> list[Finding]:
    """Name the pairs of similar faces of different students; pairs of drawn photos are only counted."""
    real = [str(each) for each in pairs if not each.is_drawn]
    drawn = f"{amount(len(pairs) - len(real), 'pair of drawn photos is', 'pairs of drawn photos are')} alike"
    if not real:
        return [Finding(step="look-alikes", verdict=OK, text=f"no two students' faces are alike; {drawn}")]
    found = amount(len(real), "pair of students' faces is", "pairs of students' faces are")
    text = f"{found} alike: {_shorten(real)}; {drawn}"
    return [Finding(step="look-alikes", verdict=DRIFT, text=text, remedy=_LOOK)]


def judge_places(states: dict[str, list[str]], known: set[str]) -> list[Finding]:
    """Say for each state what is missing; photos and faces of unknown students get a finding of their own."""
    strange = [external for ids in states.values() for external in ids if student_of(external) not in known]
    ours = {state: [each for each in ids if student_of(each) in known] for state, ids in states.items()}
    found = [_judge_state(state, ids) for state, ids in ours.items() if ids]
    if strange:
        text = f"{len(strange)} of students that are not in the database: {_shorten(sorted(strange))}"
        found.append(Finding(step="photos", verdict=DRIFT, text=text, remedy=_UNKNOWN))
    return found


def student_of(external: str) -> str:
    """Return the student's id in an external image id; an empty text if there is none."""
    parts = split_external_image_id(external)
    return parts[0] if parts else ""


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
