ALTER TABLE student_faces DROP COLUMN external_image_id;
