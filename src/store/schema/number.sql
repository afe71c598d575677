-- The last number that was given to a policy or a connector: none is given again, whatever is forgotten.
CREATE TABLE number (
    kind TEXT    NOT NULL PRIMARY KEY, -- 'policy' or 'connector'
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO number SELECT 'policy', coalesce(max(id), 0) FROM policy;
INSERT INTO number SELECT 'connector', coalesce(max(id), 0) FROM connector;
-- Also for a version that does not know of it.
CREATE TRIGGER policy_number AFTER INSERT ON policy BEGIN
    INSERT INTO number VALUES ('policy', new.id) ON CONFLICT (kind) DO UPDATE SET last = max(last, excluded.last);
END;
CREATE TRIGGER connector_number AFTER INSERT ON connector BEGIN
    INSERT INTO number VALUES ('connector', new.id) ON CONFLICT (kind) DO UPDATE SET last = max(last, excluded.last);
END;

-- Entries of which a policy's approval covered that they lost a field together with many others.
CREATE TABLE accepted (
    policy    INTEGER NOT NULL,
    connector INTEGER NOT NULL,
    field     TEXT    NOT NULL,
    lost      BLOB    NOT NULL, -- bitmap of rows
    PRIMARY KEY (policy, connector, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX accepted_of_connector ON accepted (connector);
