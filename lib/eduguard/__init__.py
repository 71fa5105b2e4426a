"""EduGuard DB: rebuild a school-attendance database and reconnect it to its faces."""
