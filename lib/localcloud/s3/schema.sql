-- All buckets of one local cloud.
CREATE TABLE setting (                  -- what made a bucket what it is: replayed when a server starts
    id INTEGER PRIMARY KEY,
    bucket TEXT NOT NULL,
    subresource TEXT NOT NULL,          -- the query of the request; empty: the creation of the bucket
    request TEXT NOT NULL,              -- JSON object of WSGI variables
    body BLOB NOT NULL,
    made TEXT NOT NULL,                 -- ISO 8601, UTC
    UNIQUE (bucket, subresource)
) STRICT;

CREATE TABLE content (
    id INTEGER PRIMARY KEY,             -- drawn, and never used again
    value BLOB NOT NULL
) STRICT;

CREATE TABLE object (
    bucket TEXT NOT NULL,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,          -- among the versions of the object, oldest first
    record TEXT NOT NULL,               -- JSON object
    content INTEGER REFERENCES content, -- none: a delete marker
    PRIMARY KEY (bucket, name, position)
) STRICT;

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;

CREATE TABLE part (
    upload TEXT NOT NULL REFERENCES upload ON DELETE CASCADE,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    content INTEGER NOT NULL REFERENCES content,
    PRIMARY KEY (upload, number)
) STRICT;
