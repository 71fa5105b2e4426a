"""The commands, one module for each group. Only this room knows Invoke."""
