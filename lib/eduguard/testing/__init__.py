"""The pytest plugin: a database, collections and a bucket for each test of a school's own application."""
