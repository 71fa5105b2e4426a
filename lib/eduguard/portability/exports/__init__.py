"""The rows of a school without its people: rules, what is written, the second reading of it, and the load."""
