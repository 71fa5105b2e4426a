ALTER TABLE student_faces RESET (fillfactor);
