-- Sections of a grade, and what it takes to drill down from a school's attendance to one student's.
-- depends: 0001_add_classes_attendance_tables

CREATE TABLE grade_sections (
    id text PRIMARY KEY,
    grade_id text NOT NULL REFERENCES grades (id),
    name text NOT NULL CHECK (name <> ''),
    head_teacher_id text REFERENCES teachers (id),
    UNIQUE (grade_id, name)
);
COMMENT ON TABLE grade_sections IS 'Parallel groups of a grade, such as 1° Básico A';
CREATE INDEX grade_sections_head_teacher_id ON grade_sections (head_teacher_id);

ALTER TABLE students ADD COLUMN grade_section_id text REFERENCES grade_sections (id);
CREATE INDEX students_grade_section_id ON students (grade_section_id);

ALTER TABLE attendance
    ADD COLUMN method text NOT NULL DEFAULT 'manual' CHECK (method IN ('face', 'manual')),
    ADD COLUMN face_id text,
    ADD CHECK (method <> 'face' OR status <> 'present' OR (face_id IS NOT NULL AND confidence IS NOT NULL));
COMMENT ON COLUMN attendance.face_id IS 'The face that was recognised, as Rekognition named it on that day';
CREATE INDEX attendance_session_id_status ON attendance (session_id, status);

CREATE VIEW attendance_by_section AS
SELECT g.stage_id,
       g.id AS grade_id,
       s.grade_section_id,
       c.id AS class_id,
       m.id AS session_id,
       m.starts_at,
       count(*) FILTER (WHERE a.status IN ('present', 'late')) AS present,
       count(*) FILTER (WHERE a.status = 'absent') AS absent,
       count(*) FILTER (WHERE a.status = 'excused') AS excused
FROM attendance a
JOIN sessions m ON m.id = a.session_id
JOIN classes c ON c.id = m.class_id
JOIN students s ON s.id = a.student_id
JOIN grades g ON g.id = s.grade_id
GROUP BY g.stage_id, g.id, s.grade_section_id, c.id, m.id, m.starts_at;
COMMENT ON VIEW attendance_by_section IS 'Attendance of each session, by stage, grade and section';
