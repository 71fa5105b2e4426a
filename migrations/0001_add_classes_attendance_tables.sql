-- What is taught, to whom, and who was there.
-- depends: 0000_initial_schema

CREATE TABLE teachers (
    id text PRIMARY KEY,
    rut text NOT NULL UNIQUE CHECK (rut ~ '^[1-9][0-9]{6,7}-[0-9K]$'),
    first_name text NOT NULL CHECK (first_name <> ''),
    last_name text NOT NULL CHECK (last_name <> ''),
    email text NOT NULL UNIQUE CHECK (email ~ '^[^@\s]+@[^@\s]+\.[^@\s]+$'),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'on_leave', 'retired')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE classrooms (
    id text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    capacity integer NOT NULL CHECK (capacity BETWEEN 1 AND 1000)
);

CREATE TABLE courses (
    id text PRIMARY KEY,
    grade_id text NOT NULL REFERENCES grades (id),
    name text NOT NULL,
    hours_a_week numeric(4, 1) NOT NULL CHECK (hours_a_week > 0 AND hours_a_week <= 45),
    UNIQUE (grade_id, name)
);
COMMENT ON TABLE courses IS 'A subject as taught in one grade';

CREATE TABLE classes (
    id text PRIMARY KEY,
    course_id text NOT NULL REFERENCES courses (id),
    teacher_id text NOT NULL REFERENCES teachers (id),
    classroom_id text NOT NULL REFERENCES classrooms (id),
    school_year integer NOT NULL CHECK (school_year BETWEEN 2000 AND 2100),
    schedule jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(schedule) = 'array'),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('planned', 'open', 'closed'))
);
COMMENT ON TABLE classes IS 'A course held by a teacher in a room during one school year';
COMMENT ON COLUMN classes.schedule IS 'Array of {"day": "monday", "start": "08:30", "end": "10:00"}';
CREATE INDEX classes_course_id ON classes (course_id);
CREATE INDEX classes_teacher_id ON classes (teacher_id);
CREATE INDEX classes_classroom_id ON classes (classroom_id);

CREATE TABLE class_enrollments (
    id text PRIMARY KEY,
    class_id text NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
    student_id text NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    enrolled_on date NOT NULL,
    status text NOT NULL DEFAULT 'enrolled' CHECK (status IN ('enrolled', 'withdrawn')),
    UNIQUE (class_id, student_id)
);
CREATE INDEX class_enrollments_student_id ON class_enrollments (student_id);

CREATE TABLE sessions (
    id text PRIMARY KEY,
    class_id text NOT NULL REFERENCES classes (id),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'held', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (class_id, starts_at),
    CHECK (ends_at > starts_at)
);
COMMENT ON TABLE sessions IS 'One meeting of a class, for which attendance is taken';

CREATE TABLE attendance (
    id text PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    student_id text NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    status text NOT NULL CHECK (status IN ('present', 'absent', 'late', 'excused')),
    confidence numeric(5, 2) CHECK (confidence BETWEEN 0 AND 100),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, student_id)
);
COMMENT ON COLUMN attendance.confidence IS 'Similarity of the face that was recognised; null where somebody entered the status';
CREATE INDEX attendance_student_id ON attendance (student_id);
