-- What of approvals is used until it is approved anew: what was done, to whose object, and to whose membership of it (x'': all).
CREATE TABLE used (
    policy  INTEGER NOT NULL,
    verb    TEXT    NOT NULL, -- as in the journal
    subject BLOB    NOT NULL, -- the key of the user or group
    member  BLOB    NOT NULL, -- the key of the member
    PRIMARY KEY (policy, verb, subject, member)
) STRICT, WITHOUT ROWID;

-- Versions before this one did not note it: what an approval of theirs executed approves nothing again.
INSERT INTO used (policy, verb, subject, member)
    SELECT DISTINCT journal.policy, journal.verb, subject.key, x'' FROM journal
    JOIN subject ON subject.policy = journal.policy AND subject.id = journal.subject
    WHERE journal.approved = 1 AND EXISTS (
        SELECT 1 FROM approval WHERE approval.policy = journal.policy AND approval.first_seen <= journal.at
    );
