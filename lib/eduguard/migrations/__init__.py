"""Plain SQL migrations: plan, apply, roll back and create them."""

from eduguard.migrations.runner import (
    MigrationPlan,
    apply,
    check_folder,
    check_number,
    create,
    hash_applied,
    hash_folder,
    plan,
    roll_back,
)

__all__ = [
    "MigrationPlan",
    "apply",
    "check_folder",
    "check_number",
    "create",
    "hash_applied",
    "hash_folder",
    "plan",
    "roll_back",
]
