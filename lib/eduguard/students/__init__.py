"""Photos and faces of students: enrol, remove, recognise, record attendance."""
