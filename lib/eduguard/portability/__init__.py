"""Take a school elsewhere: made up, without its people, or with every face made again from the photos."""

from eduguard.portability.copied_photos import (
    can_copy_inside,
    check_other_bucket,
    copy_photos,
    plan_copy,
    read_photo_keys,
)
from eduguard.portability.drawn_photos import draw_photos, plan_drawing, read_portraits
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
    "can_copy_inside",
    "check_empty_but_for",
    "check_other_bucket",
    "check_unused",
    "choose_old",
    "choose_threads",
    "copy_photos",
    "draw_photos",
    "estimate",
    "has_linked_rows",
    "index_missing",
    "name_setting",
    "plan_copy",
    "plan_drawing",
    "plan_reindexing",
    "read_photo_keys",
    "read_portraits",
    "read_wanted",
    "switch",
]
