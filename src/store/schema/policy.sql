-- Policies: subjects, links, intents, journal, holds, approvals.

CREATE TABLE policy (
    id                INTEGER PRIMARY KEY,
    owner             TEXT    NOT NULL UNIQUE, -- namespace/name
    next_subject      INTEGER NOT NULL DEFAULT 1, -- never reused
    first_complete_at TEXT,
    applied_spec      TEXT
) STRICT;

CREATE TABLE target (
    id       INTEGER PRIMARY KEY,
    identity TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE subject (
    policy INTEGER NOT NULL,
    id     INTEGER NOT NULL,
    kind   INTEGER NOT NULL, -- 0 user, 1 group
    key    BLOB    NOT NULL, -- a UUID
    PRIMARY KEY (policy, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE anchor (
    policy    INTEGER NOT NULL,
    subject   INTEGER NOT NULL,
    directory TEXT    NOT NULL,
    anchor    TEXT    NOT NULL,
    PRIMARY KEY (policy, subject, directory, anchor)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    policy    INTEGER NOT NULL,
    target    INTEGER NOT NULL,
    subject   INTEGER NOT NULL,
    object    TEXT    NOT NULL, -- the object's id at the target
    confirmed TEXT    NOT NULL, -- its content as last confirmed, as JSON
    active    INTEGER NOT NULL,
    leaving   TEXT,             -- how far down the ladder, as JSON
    members   BLOB    NOT NULL, -- bitmap of subjects that we put in
    PRIMARY KEY (policy, target, subject)
) STRICT, WITHOUT ROWID;

-- Which policy has which object: a second one never takes it.
CREATE TABLE claim (
    target INTEGER NOT NULL,
    object TEXT    NOT NULL,
    policy INTEGER NOT NULL,
    PRIMARY KEY (target, object)
) STRICT, WITHOUT ROWID;

-- What was about to be done, committed before it was; left over only by a process that died.
CREATE TABLE intent (
    id      INTEGER PRIMARY KEY,
    policy  INTEGER NOT NULL,
    target  INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    run     TEXT    NOT NULL,
    effect  TEXT    NOT NULL, -- what it does to what we know, as JSON
    members BLOB              -- bitmap of the members that the group would have of ours
) STRICT;

CREATE TABLE journal (
    id       INTEGER PRIMARY KEY,
    policy   INTEGER NOT NULL,
    run      TEXT    NOT NULL,
    at       INTEGER NOT NULL, -- Unix time in seconds
    verb     TEXT    NOT NULL,
    subject  INTEGER NOT NULL,
    class    INTEGER,          -- of the budget that it spends, if any
    evidence TEXT,             -- as JSON
    count    INTEGER NOT NULL,
    approved INTEGER NOT NULL
) STRICT;
CREATE INDEX journal_of_policy ON journal (policy, at);

CREATE TABLE census (
    policy      INTEGER NOT NULL,
    at          INTEGER NOT NULL, -- Unix time in seconds
    users       INTEGER NOT NULL,
    groups      INTEGER NOT NULL,
    memberships INTEGER NOT NULL,
    PRIMARY KEY (policy, at)
) STRICT, WITHOUT ROWID;

-- Held operations. At most one hold of a policy is current; approved ones, and the last ones that
-- somebody may be looking at, are kept.
CREATE TABLE hold (
    policy  INTEGER NOT NULL,
    digest  TEXT    NOT NULL,
    current INTEGER NOT NULL,
    seen    INTEGER NOT NULL, -- Unix time in seconds when it became current as it is
    body    TEXT    NOT NULL, -- as JSON
    PRIMARY KEY (policy, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE approval (
    policy     INTEGER NOT NULL,
    digest     TEXT    NOT NULL,
    first_seen INTEGER NOT NULL, -- Unix time in seconds
    PRIMARY KEY (policy, digest)
) STRICT, WITHOUT ROWID;

-- What the target would not have, and when it is tried again.
CREATE TABLE rejection (
    policy   INTEGER NOT NULL,
    target   INTEGER NOT NULL,
    subject  INTEGER NOT NULL,
    content  TEXT    NOT NULL, -- as JSON; another content is tried at once
    why      TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    next_try INTEGER NOT NULL, -- Unix time in seconds
    PRIMARY KEY (policy, target, subject)
) STRICT, WITHOUT ROWID;
