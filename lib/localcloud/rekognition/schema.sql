-- One account and region. Embeddings and metadata only: no picture is ever kept.
CREATE TABLE collection (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,              -- seconds since 1970
    face_model TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT '{}'     -- JSON object
) STRICT;

CREATE TABLE user (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    key TEXT NOT NULL,                  -- ListUsers is in its order, which is not that of user_id
    changed REAL NOT NULL,              -- seconds since 1970
    UNIQUE (collection, user_id)
) STRICT;
CREATE UNIQUE INDEX user_key ON user (collection, key);

CREATE TABLE face (
    id INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection ON DELETE CASCADE,
    face_id TEXT NOT NULL,
    image_id TEXT NOT NULL,
    user INTEGER REFERENCES user ON DELETE SET NULL,
    indexed REAL NOT NULL,              -- seconds since 1970
    engine TEXT NOT NULL,               -- embeddings of two engines are never compared
    listed TEXT NOT NULL,               -- the JSON object of ListFaces, without UserId
    embedding BLOB NOT NULL             -- 128 float32, little-endian
) STRICT;
CREATE UNIQUE INDEX face_listing ON face (collection, face_id);
CREATE INDEX face_loading ON face (collection, engine);  -- embeddings are read in the order they lie on disk
CREATE INDEX face_image ON face (collection, image_id);
CREATE INDEX face_user ON face (user) WHERE user IS NOT NULL;

-- A repeated ClientRequestToken repeats its answer, with other parameters it is refused.
CREATE TABLE request (
    token TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    answer TEXT NOT NULL,
    made REAL NOT NULL
) STRICT;

CREATE TABLE secret (signing BLOB NOT NULL) STRICT;
INSERT INTO secret VALUES (randomblob(32));
