"""Plain SQL migrations: check, plan, apply, roll back and create them; each runs in a session of its own."""

from eduguard.migrations.files import check_folder, create
from eduguard.migrations.runner import (
    MigrationPlan,
    apply,
    check_count,
    check_number,
    hash_applied,
    hash_folder,
    list_states,
    list_strange,
    plan,
    read_applied,
    roll_back,
)

__all__ = [
    "MigrationPlan",
    "apply",
    "check_count",
    "check_folder",
    "check_number",
    "create",
    "hash_applied",
    "hash_folder",
    "list_states",
    "list_strange",
    "plan",
    "read_applied",
    "roll_back",
]
