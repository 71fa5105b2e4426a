UPDATE students SET aws_collection_id = 'eduguard-school-default' WHERE aws_collection_id IS NULL;
ALTER TABLE students
    ALTER COLUMN aws_collection_id SET DEFAULT 'eduguard-school-default',
    ALTER COLUMN aws_collection_id SET NOT NULL,
    DROP COLUMN school_id;
COMMENT ON COLUMN students.aws_collection_id IS 'The Rekognition collection that holds the student''s faces';
DROP TABLE schools;
