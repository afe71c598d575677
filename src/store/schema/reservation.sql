-- What intents are about to make a policy's own, at a target that others write too: an object that exists, or the name of one
-- that is to be made. Whoever has it here, nobody else makes it theirs; it becomes a claim, or nothing, with its intent.
CREATE TABLE reservation (
    target INTEGER NOT NULL,
    what   TEXT    NOT NULL, -- `id ID`, `user NAME` or `group NAME`
    policy INTEGER NOT NULL,
    intent INTEGER NOT NULL,
    PRIMARY KEY (target, what)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservation_of_policy ON reservation (policy);
