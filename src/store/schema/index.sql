-- What is found without reading everything. All of it follows from the other tables, and is made anew from them
-- where it is not there, or is behind: a change of a few entries costs a few look-ups.

-- Numbers of anchors and names by the fingerprints of those, in parts of which each is read as a whole.
CREATE TABLE part (
    connector INTEGER NOT NULL,
    kind      INTEGER NOT NULL, -- 0 anchors, 1 names
    part      INTEGER NOT NULL, -- from the end of the fingerprint
    numbers   BLOB    NOT NULL, -- fingerprint (16 bytes) and number (4), one after the other
    PRIMARY KEY (connector, kind, part)
) STRICT, WITHOUT ROWID;

-- Of connectors whose parts are whole.
CREATE TABLE indexed (
    connector INTEGER PRIMARY KEY,
    there     BLOB NOT NULL, -- bitmap of the rows that are not gone
    touched   BLOB NOT NULL  -- bitmap of the rows of which there may be several versions
) STRICT;

-- The last change number that was given by a version of Rollcall that keeps the above.
ALTER TABLE store ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
