"""Schools made up: the same bytes for the same arguments, and faces that nobody has."""
