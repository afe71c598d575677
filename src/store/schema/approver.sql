-- Who gave an approval, as the object said.
CREATE TABLE approver (
    policy INTEGER NOT NULL,
    digest TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    PRIMARY KEY (policy, digest)
) STRICT, WITHOUT ROWID;

-- Which object a policy was last seen as, and the digest of an approval on it that approves nothing: it came with the
-- object, or was set while nothing checked who sets it.
CREATE TABLE object (
    owner   TEXT PRIMARY KEY, -- namespace/name
    uid     TEXT NOT NULL,
    refused TEXT
) STRICT, WITHOUT ROWID;
