"""Take a school elsewhere: made up, without its people, or with every face made again from the photos."""

from eduguard.portability.generate import World, Written, generate

__all__ = ["World", "Written", "generate"]
