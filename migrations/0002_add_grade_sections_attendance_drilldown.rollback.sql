DROP VIEW attendance_by_section;
DROP INDEX attendance_session_id_status;
ALTER TABLE attendance DROP COLUMN face_id, DROP COLUMN method;
ALTER TABLE students DROP COLUMN grade_section_id;
DROP TABLE grade_sections;
