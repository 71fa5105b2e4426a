"""The code that is mutated, and the tests that must notice it."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A module, or some functions of one, and the arguments of pytest, the fastest test first."""

    module: str
    tests: tuple[str, ...]
    functions: frozenset[str] = frozenset()
    """the only functions that are mutated; empty: the whole module"""

    @property
    def path(self) -> Path:
        """Return the path of the module below lib/."""
        return Path("eduguard", f"{self.module}.py")


def _judging(module: str, functions: str, *tests: str) -> Part:
    return Part(module=module, functions=frozenset(functions.split()), tests=tests)


_SETTINGS = ("tests/test_shown_settings.py", "tests/test_settings.py")
PARTS = (
    Part(module="sync/plan", tests=("tests/sync/test_plan.py",)),
    Part(module="identifiers", tests=("tests/test_identifiers.py", "tests/sync/test_plan.py")),
    _judging(
        "fixtures/reading",
        "YamlPart.is_empty YamlPart.values YamlPart.number_of YamlPart.line_of read_fixtures read_students read_text parse_fixture _group",
        "tests/fixtures/test_parts.py",
    ),
    Part(module="fixtures/yaml_rows", tests=("tests/fixtures/test_reading.py", "tests/fixtures/test_parts.py")),
    Part(module="fixtures/values", tests=("tests/fixtures/test_parts.py",)),
    Part(module="migrations/statements", tests=("tests/migrations/test_statements.py",)),
    Part(module="settings", tests=_SETTINGS),
    Part(module="values", tests=_SETTINGS),
    Part(module="variables", tests=_SETTINGS),
    _judging(
        "students/attendance",
        "present_students name_session describe_rest _name summarise_attendance",
        "tests/students/test_attendance.py",
    ),
    Part(module="students/pictures", tests=("tests/students/test_pictures.py",)),
    _judging(
        "students/users",
        "UserPlan.summary find_mixed plan_users name_mixed",
        "tests/students/test_user_plans.py",
    ),
    _judging(
        "students/photos",
        "PhotoReport.summary PhotoReport.findings CopyPlan.summary judge_photo is_photo_key check_keys find_files _plan "
        "_check_folder _check_inside",
        "tests/students/test_photo_plans.py",
    ),
    _judging(
        "rebuild/protection",
        "DatabaseState.exists DatabaseState.is_expendable check_not_refused check_renameable needs_no_consent "
        "require_consent _why_asked _why_not_ours _why",
        "tests/rebuild/test_consent.py",
    ),
    _judging(
        "sync/run",
        "Options.__post_init__ Outcome.summary Outcome.as_json _confirm_collection _require_name _confirm_prune",
        "tests/sync/test_questions.py",
    ),
    _judging("synced", "find_doubts", "tests/test_synced.py"),
)
