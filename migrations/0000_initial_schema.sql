-- Who is at the school, and the photos by which students are recognised.

CREATE TABLE stages (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    position integer NOT NULL UNIQUE CHECK (position > 0)
);
COMMENT ON TABLE stages IS 'Stages of schooling, such as Educación Básica';

CREATE TABLE grades (
    id text PRIMARY KEY,
    stage_id text NOT NULL REFERENCES stages (id),
    name text NOT NULL UNIQUE,
    position integer NOT NULL UNIQUE CHECK (position > 0)
);
COMMENT ON TABLE grades IS 'Years of a stage, such as 1° Básico; position orders them over all stages';
CREATE INDEX grades_stage_id ON grades (stage_id);

CREATE TABLE legal_guardians (
    id text PRIMARY KEY,
    rut text NOT NULL UNIQUE CHECK (rut ~ '^[1-9][0-9]{6,7}-[0-9K]$'),
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    email text UNIQUE CHECK (email ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'),
    phone text CHECK (phone ~ '^\+[1-9][0-9]{7,14}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN legal_guardians.rut IS 'Chilean identity number without dots, check digit after the hyphen';
COMMENT ON COLUMN legal_guardians.phone IS 'In E.164 form';

CREATE TABLE students (
    id text PRIMARY KEY CHECK (id ~ '^[a-zA-Z0-9_.:-]+$'),
    rut text NOT NULL UNIQUE CHECK (rut ~ '^[1-9][0-9]{6,7}-[0-9K]$'),
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    birth_date date NOT NULL CHECK (birth_date > DATE '1990-01-01'),
    grade_id text NOT NULL REFERENCES grades (id),
    legal_guardian_id text NOT NULL REFERENCES legal_guardians (id),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'graduated', 'withdrawn')),
    aws_collection_id text NOT NULL DEFAULT 'eduguard-school-default'
        CHECK (aws_collection_id ~ '^[a-zA-Z0-9_.-]{1,255}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN students.id IS 'Part of the external image ids of the student''s faces, so only characters that those allow';
COMMENT ON COLUMN students.aws_collection_id IS 'The Rekognition collection that holds the student''s faces';
CREATE INDEX students_grade_id ON students (grade_id);
CREATE INDEX students_legal_guardian_id ON students (legal_guardian_id);
CREATE INDEX students_aws_collection_id ON students (aws_collection_id);

CREATE TABLE student_faces (
    id text PRIMARY KEY,
    student_id text NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    face_id text NOT NULL DEFAULT 'placeholder' CHECK (face_id <> ''),
    photo_url text NOT NULL CHECK (photo_url <> ''),
    quality_score numeric(5, 2) CHECK (quality_score BETWEEN 0 AND 100),
    indexed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE student_faces IS 'One row for each photo of a student, and the face indexed from it';
COMMENT ON COLUMN student_faces.face_id IS 'Given by Rekognition; the text placeholder until the first sync';
COMMENT ON COLUMN student_faces.photo_url IS 'Key of the photo in the bucket';
CREATE INDEX student_faces_student_id ON student_faces (student_id);
CREATE UNIQUE INDEX student_faces_face_id ON student_faces (face_id) WHERE face_id <> 'placeholder';
