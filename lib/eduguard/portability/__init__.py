"""Take a school elsewhere: made up, without its people, or with every face indexed again from the photos."""

from eduguard.portability.apart import check_apart
from eduguard.portability.copied_photos import (
    can_copy_inside,
    check_other_bucket,
    copy_photos,
    plan_copy,
    read_photo_keys,
)
from eduguard.portability.drawn_photos import draw_photos, plan_drawing, read_portraits
from eduguard.portability.estimate import Estimate, at_pace, choose_threads, estimate
from eduguard.portability.exports.closure import Scope, Selection, describe
from eduguard.portability.exports.coverage import Coverage, cover
from eduguard.portability.exports.keyed import Key, default_file, find_key
from eduguard.portability.exports.loading import check_migrations, load_export
from eduguard.portability.exports.manifest import Manifest, check_files, new_manifest, read_manifest, write_manifest
from eduguard.portability.exports.rules import Rules, parse_rules, read_rules
from eduguard.portability.exports.schema import read_schema
from eduguard.portability.exports.writing import count_rows, new_folder, one_snapshot, write_masked, write_plain
from eduguard.portability.generation.generate import World, Written, generate
from eduguard.portability.moving import (
    check_empty_but_for,
    check_unused,
    choose_old,
    find_switched,
    name_setting,
    switch,
)
from eduguard.portability.reindexing import (
    Reindexed,
    Reindexing,
    has_linked_rows,
    index_missing,
    plan_reindexing,
    read_keys,
    read_wanted,
)

__all__ = [
    "Coverage",
    "Estimate",
    "Key",
    "Manifest",
    "Reindexed",
    "Reindexing",
    "Rules",
    "Scope",
    "Selection",
    "World",
    "Written",
    "at_pace",
    "can_copy_inside",
    "check_apart",
    "check_empty_but_for",
    "check_files",
    "check_migrations",
    "check_other_bucket",
    "check_unused",
    "choose_old",
    "choose_threads",
    "copy_photos",
    "count_rows",
    "cover",
    "default_file",
    "describe",
    "draw_photos",
    "estimate",
    "find_key",
    "find_switched",
    "generate",
    "has_linked_rows",
    "index_missing",
    "load_export",
    "name_setting",
    "new_folder",
    "new_manifest",
    "one_snapshot",
    "parse_rules",
    "plan_copy",
    "plan_drawing",
    "plan_reindexing",
    "read_keys",
    "read_manifest",
    "read_photo_keys",
    "read_portraits",
    "read_rules",
    "read_schema",
    "read_wanted",
    "switch",
    "write_manifest",
    "write_masked",
    "write_plain",
]
