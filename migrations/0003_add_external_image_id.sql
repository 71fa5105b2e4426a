-- The predictable id under which each face is indexed: {student_id}-photo-{n}.
-- depends: 0002_add_grade_sections_attendance_drilldown

ALTER TABLE student_faces ADD COLUMN external_image_id text;
COMMENT ON COLUMN student_faces.external_image_id IS
    'The id given to Rekognition with the photo: {student_id}-photo-{n}; it never changes';

-- Rows seeded before have it in their photo's key; where a key tells no number, the photos of the student are counted.
UPDATE student_faces f
SET external_image_id = f.student_id || '-photo-' || numbered.number
FROM (
    SELECT id,
           coalesce(
               substring(photo_url FROM '/photo-([1-9][0-9]*)\.[a-z]+$')::bigint,
               1000 + row_number() OVER (PARTITION BY student_id ORDER BY created_at, id)
           ) AS number
    FROM student_faces
) numbered
WHERE numbered.id = f.id;

ALTER TABLE student_faces
    ALTER COLUMN external_image_id SET NOT NULL,
    ADD CONSTRAINT student_faces_external_image_id_key UNIQUE (external_image_id),
    ADD CONSTRAINT student_faces_external_image_id_check CHECK (
        left(external_image_id, length(student_id) + 7) = student_id || '-photo-'
        AND substring(external_image_id FROM length(student_id) + 8) ~ '^[1-9][0-9]*$'
        AND length(external_image_id) <= 255
    );
