-- Which token opens a policy's registry, as its SHA-256: after a restart its bearer is not taken for a stranger.
CREATE TABLE reader (
    owner  TEXT PRIMARY KEY,
    digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;
