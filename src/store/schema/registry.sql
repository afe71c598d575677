-- The registry: the embedded target.

CREATE TABLE registry (
    policy   INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    kind     INTEGER NOT NULL, -- 0 user, 1 group
    id       BLOB    NOT NULL, -- the key, a UUID
    name_key TEXT    NOT NULL, -- unique among its kind
    active   INTEGER NOT NULL,
    content  TEXT    NOT NULL, -- as JSON
    members  BLOB,             -- bitmap of numbers, for a group that has any
    PRIMARY KEY (policy, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX registry_id ON registry (policy, id);
CREATE UNIQUE INDEX registry_name ON registry (policy, kind, name_key);
