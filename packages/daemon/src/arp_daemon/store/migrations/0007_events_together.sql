-- A row holds consecutive events of its run: so many, the first of them with its `seq`. `event` has one a line, `type` the
-- type of each, with a blank between them. A row that was written by an earlier release holds one.
ALTER TABLE run_events ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
