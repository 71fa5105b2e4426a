"""Take a school elsewhere: made up, without its people, or with every face made again from the photos."""

from eduguard.portability.coverage import Coverage, cover, require_covered
from eduguard.portability.rules import Rules, parse_rules, read_rules
from eduguard.portability.schema import read_schema

__all__ = ["Coverage", "Rules", "cover", "parse_rules", "read_rules", "read_schema", "require_covered"]
