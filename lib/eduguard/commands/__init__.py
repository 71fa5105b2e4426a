"""The commands: one module a group of them, and the only room that knows Invoke."""
