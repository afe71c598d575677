-- Snapshots: what each connector last read.

CREATE TABLE connector (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE, -- namespace/name
    next_row   INTEGER NOT NULL DEFAULT 1, -- never reused
    next_name  INTEGER NOT NULL DEFAULT 1, -- never reused
    sealed     INTEGER NOT NULL DEFAULT 0, -- versions up to this sequence are visible
    completion INTEGER NOT NULL DEFAULT 0, -- completed imports
    info       TEXT,                       -- what the last seal said, as JSON; none before the first
    cursor     BLOB
) STRICT;

-- One row for every anchor that was ever seen.
CREATE TABLE entry (
    connector INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    anchor    TEXT    NOT NULL,
    PRIMARY KEY (connector, id)
) STRICT, WITHOUT ROWID;

-- Names that entries bear or member lists state.
CREATE TABLE name (
    connector INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    key       TEXT    NOT NULL,
    PRIMARY KEY (connector, id)
) STRICT, WITHOUT ROWID;

-- What an entry was: one version is visible, others are superseded or not yet sealed.
CREATE TABLE version (
    connector INTEGER NOT NULL,
    entry     INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    standing  INTEGER NOT NULL, -- 0 present, 1 unreadable, 2 gone, 3 unsettled
    detail    TEXT,             -- of the standing, as JSON
    hash      BLOB    NOT NULL, -- of what follows
    content   TEXT    NOT NULL, -- the entry as JSON, without names and members
    names     BLOB    NOT NULL, -- bitmap of names that it bears
    complete  INTEGER NOT NULL, -- whether the member list was read completely
    edges     BLOB,             -- bitmap of names that the member list states
    PRIMARY KEY (connector, entry, sequence)
) STRICT, WITHOUT ROWID;

-- Which rows carry a field: at the last read that the coverage rule accepted, and now.
CREATE TABLE coverage (
    connector INTEGER NOT NULL,
    field     TEXT    NOT NULL,
    baseline  BLOB    NOT NULL,
    current   BLOB    NOT NULL,
    tripped   INTEGER NOT NULL, -- entries that carried it, if the rule tripped; else 0
    lost      BLOB    NOT NULL,
    PRIMARY KEY (connector, field)
) STRICT, WITHOUT ROWID;
