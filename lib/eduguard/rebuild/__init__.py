"""Build a database beside the live one, publish it, undo; templates, snapshots, lock and protection."""
