"""What is mutated, and the tests that have to notice it."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A module, or some functions of one, and the arguments of pytest, the fastest test first."""

    module: str
    tests: tuple[str, ...]
    functions: frozenset[str] = frozenset()
    """the only ones that are mutated; empty: the whole module"""

    @property
    def path(self) -> Path:
        """Return where the module is, below lib/."""
        return Path("eduguard", f"{self.module}.py")


PARTS = (
    Part(module="sync/plan", tests=("tests/sync/test_plan.py",)),
    Part(
        module="identifiers",
        tests=(
            "tests/test_identifiers.py",
            "tests/inputs/test_names.py::test_any_external_image_id_is_told_apart_and_planned",
        ),
    ),
    Part(module="fixtures/reading", tests=("tests/fixtures/test_reading.py",)),
    Part(module="fixtures/yaml_rows", tests=("tests/fixtures/test_reading.py",)),
    Part(module="fixtures/values", tests=("tests/fixtures/test_reading.py",)),
    Part(module="migrations/statements", tests=("tests/migrations/test_statements.py",)),
    Part(module="settings", tests=("tests/test_settings.py",)),
    Part(module="values", tests=("tests/test_settings.py",)),
    Part(module="variables", tests=("tests/test_settings.py",)),
    Part(module="students/attendance", tests=("tests/students/test_attendance.py",)),
    Part(module="students/pictures", tests=("tests/students/test_pictures.py",)),
    Part(
        module="students/users",
        tests=tuple(
            "tests/students/test_users.py::" + n
            for n in (
                "test_faces_of_rows_go_to_the_users_of_their_students",
                "test_a_face_is_never_taken_from_another_user_and_that_user_gets_no_more",
                "test_a_users_faces_must_all_carry_its_id",
            )
        ),
    ),
    Part(
        module="students/photos",
        tests=("tests/inputs/test_names.py::test_any_key_is_a_file_inside_the_folder_or_refused",),
    ),
    Part(module="rebuild/protection", tests=("tests/rebuild/test_protection.py",)),
    Part(module="sync/run", tests=("tests/sync/test_run.py",)),
    Part(module="synced", tests=("tests/test_synced.py",)),
)
