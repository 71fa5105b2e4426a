"""Apply, roll back and create plain SQL migrations."""
