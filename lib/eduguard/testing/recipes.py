"""What a test asks for with its markers, and the hash that names the template made from it."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from eduguard.errors import EduguardError
from eduguard.rebuild import templates
from eduguard.settings import Settings

if TYPE_CHECKING:
    import pytest

    from eduguard.portability import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The content of a test's database, collections and bucket."""

    folder: Path
    """the folder of the fixtures; not used if there is a world"""
    world: "World | None" = None
    """the made-up school"""


def read_recipe(node: "pytest.Item", settings: Settings) -> Recipe:
    """Return what the markers of a test ask for; without a marker, the fixtures of the project.

    Raises:
        EduguardError: for two markers at once, or for wrong arguments.
    """
    seed, students = node.get_closest_marker("school_seed"), node.get_closest_marker("school_students")
    if seed and students:
        raise EduguardError(
            f"{node.name} has the markers school_seed and school_students",
            hint="A school is either read from a folder or made up: leave one of them out.",
        )
    folder = node.config.rootpath / _apply(_folder, seed) if seed else settings.seed_folder
    if not folder.is_dir():
        raise EduguardError(f"There is no folder {folder}", hint="The marker school_seed names it.")
    world = _apply(_world, students) if students else None
    if world:
        world.check()
    return Recipe(folder=folder.resolve(), world=world)


def wants_transaction(node: "pytest.Item") -> bool:
    """Say whether a test shares a database with other tests, in a transaction that is rolled back.

    Raises:
        EduguardError: for wrong arguments of the marker.
    """
    marker = node.get_closest_marker("school_db")
    return bool(marker and _apply(_transaction, marker))


def hash_recipe(recipe: Recipe, settings: Settings) -> str:
    """Return the hash of everything that determines a template; a different hash means a different template."""
    target = settings.target
    hashed = sha256(templates.hash_inputs(settings, seeded=False).encode())
    hashed.update(f"{target.name} {sorted(target.collections)} {settings.match_threshold} {recipe.world}".encode())
    for file in [] if recipe.world else sorted(path for path in recipe.folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        hashed.update(f"\n{file.relative_to(recipe.folder)} {len(content)}\n".encode() + content)
    return hashed.hexdigest()[:16]


def _apply(read: Callable[..., T], marker: "pytest.Mark") -> T:
    """Call a function with the arguments of a marker, and return its result."""
    try:
        return read(*marker.args, **marker.kwargs)
    except TypeError as error:
        raise EduguardError(
            f"The marker {marker.name}: {error}", hint="`pytest --markers` shows how it is used."
        ) from error


def _folder(folder: str) -> str:
    return folder


def _transaction(*, transaction: bool = False) -> bool:
    return transaction


def _world(count: int, *, schools: int = 1, photos: bool = False, seed: str = "1") -> "World":
    from eduguard.portability import World

    return World(seed=str(seed), students=count, schools=schools, photos=photos)
