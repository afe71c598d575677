-- What the policy's last run could not take as it is, or had to let wait.
CREATE TABLE exception (
    policy INTEGER PRIMARY KEY,
    body   TEXT NOT NULL -- as JSON
) STRICT;
