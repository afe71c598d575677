-- How many rows of a policy, a connector or the whole store a table should hold, and the sum of their hashes: kept by
-- whoever writes, so that bytes that changed by themselves are noticed.
CREATE TABLE digest (
    name TEXT    NOT NULL, -- the table's
    part INTEGER NOT NULL, -- whose rows: by the number of a policy, target or connector, else 0
    rows INTEGER NOT NULL,
    sum  INTEGER NOT NULL, -- of 64 bits, without regard to what overflows
    PRIMARY KEY (name, part)
) STRICT, WITHOUT ROWID;
