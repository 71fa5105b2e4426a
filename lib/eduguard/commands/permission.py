"""What each command may do under its target's protection: one table, checked before any command starts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from eduguard.settings import Settings
from eduguard.terminal import ask
from eduguard.values import PROTECTIONS

Flags = Mapping[str, Any]
Named = tuple[str, dict[str, Any]]  # the name of a command, and its flags


class Kind(Enum):
    """What a command may do. `refuse` stops the last two kinds; `confirm` asks for them."""

    READ = "reads, and changes nothing of the target"
    OWN = "changes what it is asked to, by rules of its own"
    CHANGE = "changes rows, faces or snapshots that a development target can lose"
    REPLACE = "replaces the database or drops tables: asks for one that is not ours, too"


def _read_if(*flags: str) -> Callable[[Flags], Kind]:
    return lambda given: Kind.READ if any(given.get(flag) for flag in flags) else Kind.OWN


def _sync_kind(given: Flags) -> Kind:
    if given.get("dry_run") or given.get("check"):
        return Kind.READ
    return Kind.CHANGE if given.get("prune") or given.get("unlink_missing") else Kind.OWN


def _seed_kind(given: Flags) -> Kind:
    return Kind.READ if given.get("dry_run") else Kind.CHANGE


def _enrol_kind(given: Flags) -> Kind:
    return Kind.OWN if given.get("student") or given.get("from_") else Kind.CHANGE


def _change_unless_dry(given: Flags) -> Kind:
    return Kind.READ if given.get("dry_run") else Kind.CHANGE


TABLE: Mapping[str, Kind | Callable[[Flags], Kind]] = {
    "anonymise check": Kind.READ,
    "attendance show": Kind.READ,
    "attendance take": Kind.OWN,
    "bench": Kind.READ,
    "doctor": lambda given: Kind.OWN if given.get("fix") else Kind.READ,
    "down": Kind.READ,
    "enrol": _enrol_kind,
    "env": Kind.READ,
    "evaluate": Kind.READ,
    "export": lambda given: Kind.OWN if given.get("plain") else Kind.READ,
    "fixtures save": Kind.OWN,
    "full": Kind.REPLACE,
    "generate": Kind.READ,
    "load": Kind.REPLACE,
    "migrate": _read_if("plan"),
    "migration new": Kind.READ,
    "photos check": lambda given: Kind.OWN if given.get("accept") else Kind.READ,
    "photos copy": _change_unless_dry,
    "photos draw": _change_unless_dry,
    "photos pull": Kind.READ,
    "photos push": _read_if("dry_run"),
    "port": lambda given: Kind.READ if given.get("dry_run") else Kind.REPLACE,
    "psql": Kind.OWN,
    "publish": Kind.CHANGE,
    "rebuild": Kind.REPLACE,
    "reindex": _read_if("dry_run"),
    "report": Kind.READ,
    "reset": Kind.REPLACE,
    "rollback": Kind.REPLACE,
    "seed": _seed_kind,
    "seed-full": Kind.CHANGE,
    "snapshot delete": Kind.CHANGE,
    "snapshot list": Kind.READ,
    "snapshot restore": Kind.REPLACE,
    "snapshot save": Kind.CHANGE,
    "status": Kind.READ,
    "sync-faces": _sync_kind,
    "test": Kind.READ,
    "test-all": Kind.READ,
    "undo": Kind.CHANGE,
    "unenrol": Kind.OWN,
    "up": Kind.READ,
    "verify": Kind.READ,
    "version": Kind.READ,
}
_ASKING = {Kind.CHANGE, Kind.REPLACE}
# These commands ask under their lock before they do anything: alone on a command line, they need not ask twice.
_ASKING_THEMSELVES = {"load", "rebuild", "reset", "rollback", "snapshot restore"}
_RENAMING = {"publish", "undo"}  # they rename databases, as those that replace the database do


def kind_of(name: str, flags: Flags) -> Kind:
    """Return what a command may do with these flags; a command that is not in the table gets the strictest kind."""
    kind = TABLE.get(name.replace("_", "-"), Kind.REPLACE)
    return kind if isinstance(kind, Kind) else kind(flags)


def require_permission(commands: Sequence[Named], load: Callable[[], Settings]) -> str:
    """Check that the target lets every command of a command line run, before any of them starts.

    Args:
        commands: their names and flags.
        load: makes the settings; it is not called if every command may run on every target.

    Returns:
        The database's name if it was passed or typed: consent for the whole command line. Else an empty text.

    Raises:
        EduguardError: naming the command that the target refuses, or how to consent.
    """
    asking = [(name, kind) for name, flags in commands if (kind := kind_of(name, flags)) in _ASKING]
    if not asking:
        return ""
    from eduguard.rebuild import protection
    from eduguard.targets import target_database

    settings, names = load(), [name for name, _ in asking]
    protection.check_not_refused(settings.target, names[0])
    live, replacing = target_database(settings), any(kind is Kind.REPLACE for _, kind in asking)
    if replacing or not _RENAMING.isdisjoint(names):
        protection.check_renameable(live)
    confirm = next((flags["confirm"] for _, flags in commands if flags.get("confirm")), "")
    if live.is_embedded and settings.target.protection == "open" and not replacing:
        return confirm  # our own server is on this machine: no need to ask it
    if len(commands) == 1 and names[0] in _ASKING_THEMSELVES:
        return confirm
    return protection.require_consent(
        protection.inspect(live),
        live,
        settings.target.protection,
        confirm=confirm,
        ask=ask,
        replacing=replacing,
        by=", ".join(f"`inv {name}`" for name in names),
    )


def tighten(values: dict[str, Any], levels: Iterable[Any]) -> dict[str, Any]:
    """Return settings in which each target has the strictest protection that any level of settings states.

    Args:
        values: the merged settings, in which the strongest level has won.
        levels: the files and the environment, each as plain nested values; anything else is ignored.
    """
    targets, levels = values.get("targets"), list(levels)
    if not isinstance(targets, dict):
        return values
    tightened = {name: _tighten_target(name, target, levels) for name, target in targets.items()}
    return {**values, "targets": tightened}


def _tighten_target(name: str, target: Any, levels: Sequence[Any]) -> Any:
    if not isinstance(target, dict) or "protection" not in target:
        return target
    stated = [value for level in levels if (value := _find(level, "targets", name, "protection")) is not None]
    return {**target, "protection": max([target["protection"], *stated], key=_strictness)}


def _find(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _strictness(protection: object) -> int:
    # A misspelt protection counts as the strictest, so that it is refused by name and not ignored.
    return PROTECTIONS.index(protection) if protection in PROTECTIONS else len(PROTECTIONS)
