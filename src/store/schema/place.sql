-- At which target a policy's rows are. A policy that moved to another one begins anew there, with a row of its own in
-- `policy`; the row that it left is named `NAMESPACE/NAME at TARGET`, and forgotten like that of a policy that is gone.
CREATE TABLE place (
    policy INTEGER PRIMARY KEY,
    target INTEGER NOT NULL
) STRICT;
-- Versions before this one knew one kind of target.
INSERT INTO place (policy, target)
    SELECT policy.id, target.id FROM policy JOIN target ON target.identity = 'registry:' || policy.owner;
