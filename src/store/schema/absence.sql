-- Since when the object that a policy or connector belongs to is not there any more (Unix time in seconds).
ALTER TABLE policy ADD COLUMN absent_since INTEGER;
ALTER TABLE connector ADD COLUMN absent_since INTEGER;
