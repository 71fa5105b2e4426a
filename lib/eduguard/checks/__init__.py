"""Look at everything and say what is wrong: doctor, status, verify. Read-only."""
