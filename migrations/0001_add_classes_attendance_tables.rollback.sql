DROP TABLE attendance;
DROP TABLE sessions;
DROP TABLE class_enrollments;
DROP TABLE classes;
DROP TABLE courses;
DROP TABLE classrooms;
DROP TABLE teachers;
