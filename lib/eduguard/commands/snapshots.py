"""The commands for snapshots: copies of the database under names that the user chooses."""

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from eduguard.commands.shared import CONFIRM, JSON, command_line, settings_of
from eduguard.commands.words import Command
from eduguard.errors import EduguardError
from eduguard.plurals import amount
from eduguard.settings import Settings
from eduguard.terminal import ask, print_note, print_step, record

if TYPE_CHECKING:
    from eduguard.rebuild.snapshots import Snapshot

_OLDER = "; it has other migrations than the folder: `inv migrate --plan` shows them"

EXAMPLES = {
    "snapshot save": "inv snapshot save before-trip",
    "snapshot list": "inv snapshot list",
    "snapshot restore": "inv snapshot restore before-trip",
    "snapshot delete": "inv snapshot delete before-trip",
}


@task(
    name="save",
    klass=Command,
    words="NAME",
    help={"name": "the snapshot's name", "confirm": CONFIRM, "json": JSON},
)
def snapshot_save(c: Context, name: str, confirm: str = "", json: bool = False) -> None:
    """Keep a copy of the database under a name."""
    from eduguard import migrations
    from eduguard.rebuild import lock, snapshots
    from eduguard.targets import target_database

    settings = settings_of(c)
    live, collection = target_database(settings), _name_collections(settings)
    with lock.hold_lock(live):
        count = _face_count(settings)
        facts = {"migrations": migrations.hash_applied(live), "collection": collection, "face_count": count}
        saved = snapshots.save(live, name, facts, print_note)
    print_step("saved", f"{name}: {live.name}, {saved.size / 1e6:.1f} MB, {_faces(count)} in {collection}")
    record(_plain(saved) | {"database": live.name})


@task(name="list", help={"json": JSON})
def snapshot_list(c: Context, json: bool = False) -> None:
    """List the snapshots, and say whether the collection has changed since."""
    from eduguard.rebuild import snapshots
    from eduguard.targets import target_database

    settings = settings_of(c)
    found = snapshots.list_snapshots(target_database(settings))
    moved = {each.name: _moved(settings, each) for each in found}
    record({"snapshots": [_plain(each) | {"has_moved": bool(moved[each.name])} for each in found]})
    for each in found:
        made = f"{each.made_at:%Y-%m-%d %H:%M} UTC, {each.size / 1e6:.1f} MB"
        print_step("snapshot", f"{each.name}: {made}{moved[each.name]}")
    if not found:
        print_note("There is no snapshot; `inv snapshot save NAME` makes one.")


@task(
    name="restore",
    klass=Command,
    words="NAME",
    help={"name": "the snapshot's name", "confirm": CONFIRM, "json": JSON},
)
def snapshot_restore(c: Context, name: str, confirm: str = "", json: bool = False) -> None:
    """Replace the database with a snapshot, and keep the old one for `undo`."""
    from eduguard import migrations
    from eduguard.rebuild import lock, protection, publication, snapshots
    from eduguard.targets import target_database

    settings = settings_of(c)
    live, target = target_database(settings), settings.target
    with lock.hold_lock(live):
        snapshot = snapshots.find(live, name)
        state = protection.inspect(live)
        protection.require_consent(state, live, target.protection, confirm=confirm, ask=ask, by=f"`{command_line()}`")
        publication.create_next(live, state, command=command_line(), template=snapshot.kept, note=print_note)
        swap = publication.publish(live, print_note)
    is_current = snapshot.kept.facts["migrations"] == migrations.hash_folder(settings.migrations_folder)
    moved = _moved(settings, snapshot)
    remarks = moved + ("" if is_current else _OLDER)
    print_step("restored", f"{name} is {live.name} now{swap.summary()}{remarks}{swap.way_back()}")
    compared = {"has_moved": bool(moved), "has_other_migrations": not is_current}
    record(_plain(snapshot) | compared | {"database": live.name, **swap.as_json()})


@task(
    name="delete",
    klass=Command,
    words="NAME",
    help={"name": "the snapshot's name", "confirm": CONFIRM, "json": JSON},
)
def snapshot_delete(c: Context, name: str, confirm: str = "", json: bool = False) -> None:
    """Delete a snapshot."""
    from eduguard.rebuild import snapshots
    from eduguard.targets import target_database

    live = target_database(settings_of(c))
    snapshots.delete(live, snapshots.find(live, name))
    print_step("deleted", f"{name} deleted")
    record({"name": name})


def _plain(snapshot: "Snapshot") -> dict[str, Any]:
    facts = {name: snapshot.kept.facts[name] for name in ("collection", "face_count")}
    return {"name": snapshot.name, "made_at": snapshot.made_at.isoformat(), "bytes": snapshot.size, **facts}


def _moved(settings: Settings, snapshot: "Snapshot") -> str:
    collection, then = snapshot.kept.facts["collection"], snapshot.kept.facts["face_count"]
    if collection != _name_collections(settings):
        return f"; its FaceIds are of collection {collection}: run `inv sync-faces`"
    if (now := _face_count(settings)) != then:
        return f"; {collection} moved on from {_faces(then)} to {_faces(now)}: run `inv sync-faces`"
    return ""


def _name_collections(settings: Settings) -> str:
    from eduguard.targets import target_places

    return ", ".join(place.collection for place in target_places(settings))


def _face_count(settings: Settings) -> int | None:
    """Return how many faces the target's collections have in total; None if one could not be asked."""
    from eduguard.targets import target_collection, target_places

    try:
        states = [target_collection(settings, place.collection).describe() for place in target_places(settings)]
    except EduguardError as error:
        print_note(f"{_name_collections(settings)} was not asked: {error}")
        return None
    return sum(state.face_count for state in states if state)


def _faces(count: int | None) -> str:
    return "an unknown number of faces" if count is None else amount(count, "face")
