"""Make student_faces agree with a collection: plan, then apply."""
