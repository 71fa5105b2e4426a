"""Take a school elsewhere: made up, without its people, or with every face made again from the photos."""

from eduguard.portability.estimate import Estimate, at_pace, choose_threads, estimate
from eduguard.portability.moving import check_empty_but_for, check_unused, choose_old, name_setting, switch
from eduguard.portability.reindexing import (
    Reindexed,
    Reindexing,
    has_linked_rows,
    index_missing,
    plan_reindexing,
    read_wanted,
)

__all__ = [
    "Estimate",
    "Reindexed",
    "Reindexing",
    "at_pace",
    "check_empty_but_for",
    "check_unused",
    "choose_old",
    "choose_threads",
    "estimate",
    "has_linked_rows",
    "index_missing",
    "name_setting",
    "plan_reindexing",
    "read_wanted",
    "switch",
]
