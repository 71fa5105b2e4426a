"""Plain SQL migrations: plan, apply, roll back and create them."""

from eduguard.migrations.runner import (
    MigrationPlan,
    apply,
    check_count,
    check_folder,
    create,
    hash_applied,
    hash_folder,
    plan,
    roll_back,
)

__all__ = [
    "MigrationPlan",
    "apply",
    "check_count",
    "check_folder",
    "create",
    "hash_applied",
    "hash_folder",
    "plan",
    "roll_back",
]
