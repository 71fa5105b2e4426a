"""PostgreSQL: the names and URLs of databases, connections, sessions, and the embedded server."""
