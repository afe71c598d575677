-- The store itself; one row.
CREATE TABLE store (
    id         TEXT    NOT NULL, -- a UUID, made with the store
    sequence   INTEGER NOT NULL, -- the last change number that was given
    min_reader INTEGER NOT NULL  -- the least schema that a reader must know
) STRICT;
