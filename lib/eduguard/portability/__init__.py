"""Take a school elsewhere: made up, without its people, or with every face made again from the photos."""

from eduguard.portability.closure import Scope, Selection, describe
from eduguard.portability.coverage import Coverage, cover
from eduguard.portability.export import count_rows, new_folder, one_snapshot, write_masked, write_plain
from eduguard.portability.generate import World, Written, generate
from eduguard.portability.keyed import Key, default_file, find_key
from eduguard.portability.loading import check_migrations, load_export
from eduguard.portability.manifest import Manifest, check_files, new_manifest, read_manifest, write_manifest
from eduguard.portability.rules import Rules, parse_rules, read_rules
from eduguard.portability.schema import read_schema

__all__ = [
    "Coverage",
    "Key",
    "Manifest",
    "Rules",
    "Scope",
    "Selection",
    "World",
    "Written",
    "check_files",
    "check_migrations",
    "count_rows",
    "cover",
    "default_file",
    "describe",
    "find_key",
    "generate",
    "load_export",
    "new_folder",
    "new_manifest",
    "one_snapshot",
    "parse_rules",
    "read_manifest",
    "read_rules",
    "read_schema",
    "write_manifest",
    "write_masked",
    "write_plain",
]
