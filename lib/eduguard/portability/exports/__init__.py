"""Export the rows of a school without its people: the rules, the writing, the leak scan, and the load."""
