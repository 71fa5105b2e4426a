-- Schools. Which collection holds a school's faces is a setting of the target, so that the same rows work on every target.
-- depends: 0004_leave_room_for_face_ids

CREATE TABLE schools (
    id text PRIMARY KEY CHECK (id ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    name text NOT NULL UNIQUE CHECK (name <> '')
);
COMMENT ON TABLE schools IS 'Each has a collection of its own on each target: `collections` in invoke.yaml';

-- The students that are there go to one school, whose name can be changed. A new student must name theirs.
INSERT INTO schools (id, name) SELECT 'school-001', 'school-001' WHERE EXISTS (SELECT FROM students);
ALTER TABLE students ADD COLUMN school_id text NOT NULL DEFAULT 'school-001' REFERENCES schools (id);
ALTER TABLE students ALTER COLUMN school_id DROP DEFAULT;
CREATE INDEX students_school_id ON students (school_id);

-- The old default said nothing about a student: it was in every row of every target.
ALTER TABLE students ALTER COLUMN aws_collection_id DROP NOT NULL, ALTER COLUMN aws_collection_id DROP DEFAULT;
UPDATE students SET aws_collection_id = NULL WHERE aws_collection_id = 'eduguard-school-default';
COMMENT ON COLUMN students.aws_collection_id IS
    'The Rekognition collection that holds the student''s faces, where it is not the one of the student''s school; else NULL';
