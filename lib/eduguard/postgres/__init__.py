"""PostgreSQL: names and URLs of databases, connections, other people's sessions, and the embedded server."""

from eduguard.postgres.connection import APPLICATION, connect, create_as, execute_for, exists, read_value, send_for
from eduguard.postgres.database import Database

__all__ = ["APPLICATION", "Database", "connect", "create_as", "execute_for", "exists", "read_value", "send_for"]
