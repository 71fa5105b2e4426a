"""Draw portraits of invented people, plain enough to be seen as drawings, real enough for a face engine."""
