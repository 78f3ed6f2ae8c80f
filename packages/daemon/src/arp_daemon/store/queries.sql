-- insert_run --
-- Accept a run; gives no row when its id is taken.
INSERT INTO runs (run_id, state, request, request_sum, created_at) VALUES (?, 'queued', ?, ?, ?)
ON CONFLICT (run_id) DO NOTHING RETURNING position;

-- start_run --
-- Set a run running for a new attempt; its first start stays.
UPDATE runs SET state = 'running', started_at = coalesce(started_at, ?), instance_id = ?, attempt = ?
WHERE position = ? AND ended_at IS NULL;

-- insert_attempt --
-- Record a hand-over.
INSERT INTO attempts (position, attempt, token, instance_id, first_seq, dispatched_at, deadline_at)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- end_attempt --
-- Record how a hand-over ended.
UPDATE attempts SET ended_at = ?, outcome = ? WHERE position = ? AND attempt = ? AND ended_at IS NULL;

-- append_event --
-- Add the next run event; fails if its seq is already taken.
INSERT INTO run_events (position, seq, type, event, sum) VALUES (?, ?, ?, ?, ?);

-- end_run --
-- End a run, once.
UPDATE runs SET state = ?, ended_at = ?, result = ?, result_sum = ? WHERE position = ? AND ended_at IS NULL;

-- end_last_attempt --
-- The attempt that ended its run ended with it.
UPDATE attempts SET ended_at = ?, outcome = ?
WHERE position = ? AND attempt = (SELECT attempt FROM runs WHERE position = ?) AND ended_at IS NULL;

-- move_cursor --
-- How far an instance's events have been taken.
UPDATE instances SET cursor = ? WHERE instance_id = ?;

-- request_cancel --
-- Remember the first wish to cancel.
UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, ?) WHERE position = ? AND ended_at IS NULL;

-- find_run --
-- One run by its id.
SELECT * FROM runs WHERE run_id = ?;

-- list_runs --
-- Newest first, before a position.
SELECT * FROM runs WHERE position < ? ORDER BY position DESC LIMIT ?;

-- list_open_runs --
-- What has not ended, in order of arrival.
SELECT * FROM runs WHERE ended_at IS NULL ORDER BY position;

-- list_attempts --
-- The attempts of a run.
SELECT * FROM attempts WHERE position = ? ORDER BY attempt;

-- list_events --
-- A piece of a run's log.
SELECT * FROM run_events WHERE position = ? AND seq >= ? ORDER BY seq LIMIT ?;

-- count_events --
-- The next seq of a run.
SELECT coalesce(max(seq) + 1, 0) FROM run_events WHERE position = ?;

-- put_profile --
-- Add or replace a profile.
INSERT INTO profiles (name, version, body) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body;

-- delete_profile --
-- Forget a profile.
DELETE FROM profiles WHERE name = ?;

-- list_profiles --
-- All profiles.
SELECT * FROM profiles ORDER BY name;

-- put_instance --
-- Add or replace an instance; a cursor stays where none is given.
INSERT INTO instances (instance_id, body, cursor) VALUES (?, ?, ?)
ON CONFLICT (instance_id) DO UPDATE SET body = excluded.body, cursor = coalesce(excluded.cursor, cursor);

-- delete_instance --
-- Forget an instance.
DELETE FROM instances WHERE instance_id = ?;

-- list_instances --
-- All instances.
SELECT * FROM instances ORDER BY instance_id;

-- beat --
-- Show that writes work.
INSERT INTO heartbeat (id, beat) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beat = beat + 1;
