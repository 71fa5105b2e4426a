-- Sync rewrites each row once, from the placeholder to a FaceId: a page half full has room for the new versions of its rows.
-- depends: 0003_add_external_image_id

ALTER TABLE student_faces SET (fillfactor = 45);
