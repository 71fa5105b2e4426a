DROP TABLE student_faces;
DROP TABLE students;
DROP TABLE legal_guardians;
DROP TABLE grades;
DROP TABLE stages;
