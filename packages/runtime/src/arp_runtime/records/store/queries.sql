-- take_run --
-- A run was accepted.
INSERT INTO runs (run_id, digest, taken_at) VALUES (?, ?, ?);

-- begin_run --
-- Its agent is called.
UPDATE runs SET began_at = ? WHERE run_id = ?;

-- end_run --
-- It has ended.
UPDATE runs SET ended_at = ?, state = ?, result = ?, sum = ? WHERE run_id = ?;

-- add_event --
-- The next event of a run; fails if its seq is already taken.
INSERT INTO run_events (run_id, seq, event, sum) VALUES (?, ?, ?, ?);

-- add_trace_entry --
-- Something for the trace of a run alone.
INSERT INTO trace_entries (run_id, entry) VALUES (?, ?);

-- forget_run --
-- A run, by its id.
DELETE FROM runs WHERE run_id = ?;

-- forget_events --
-- The events of a run.
DELETE FROM run_events WHERE run_id = ?;

-- forget_trace --
-- The trace of a run.
DELETE FROM trace_entries WHERE run_id = ?;

-- list_runs --
-- All runs: those that have ended first, in the order of their ends; then the others, as they came.
SELECT run_id, digest, taken_at, began_at, ended_at, state, result, sum FROM runs
ORDER BY ended_at IS NULL, ended_at, position;

-- list_events --
-- All events of a run.
SELECT seq, event, sum FROM run_events WHERE run_id = ? ORDER BY seq;

-- list_trace --
-- What is for the trace of a run alone.
SELECT entry FROM trace_entries WHERE run_id = ? ORDER BY position;
