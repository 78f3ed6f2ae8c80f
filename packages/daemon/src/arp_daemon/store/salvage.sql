-- runs --
-- In order of arrival.
SELECT * FROM runs ORDER BY position;

-- runs_from_the_end --
-- The last first, down to a position: what lies behind a page that cannot be read.
SELECT * FROM runs WHERE position > ? ORDER BY position DESC;

-- attempts_of --
-- The attempts of a run.
SELECT * FROM attempts WHERE position = ? ORDER BY attempt;

-- events_of --
-- The log of a run.
SELECT * FROM run_events WHERE position = ? ORDER BY seq;

-- profiles --
-- All profiles.
SELECT * FROM profiles ORDER BY name;

-- instances --
-- All instances.
SELECT * FROM instances ORDER BY instance_id;

-- keep_run --
-- Keep a run as it was.
INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- keep_label --
-- What a run can be found by.
INSERT OR IGNORE INTO run_labels (name, value, position) VALUES (?, ?, ?);

-- keep_attempt --
-- Keep an attempt as it was.
INSERT OR IGNORE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- keep_events --
-- Keep some events as they were.
INSERT OR IGNORE INTO run_events VALUES (?, ?, ?, ?, ?, ?);

-- keep_profile --
-- Keep a profile as it was.
INSERT OR IGNORE INTO profiles VALUES (?, ?, ?, ?);

-- keep_instance --
-- Keep an instance as it was.
INSERT OR IGNORE INTO instances VALUES (?, ?, ?, ?);
