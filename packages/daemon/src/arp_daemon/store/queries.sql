-- last_run --
-- Where the last run is, and when it came.
SELECT position, created_at FROM runs ORDER BY position DESC LIMIT 1;

-- insert_run --
-- Accept a run, queued, or running where it is claimed with it; nothing when its id or its key is taken. What changes a
-- run later sets its `row_sum` by the function of that name: a query more for each would cost a third of the writer's
-- time.
INSERT INTO runs (position, run_id, state, request, request_sum, created_at, started_at, instance_id, attempt,
    runtime_profile, idempotency_key, row_sum)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- insert_label --
-- What a run can be found by.
INSERT INTO run_labels (name, value, position) VALUES (?, ?, ?);

-- start_run --
-- Set a run running for a new attempt; its first start stays.
UPDATE runs SET state = 'running', started_at = coalesce(started_at, ?1), instance_id = ?2, attempt = ?3,
    row_sum = row_sum(position, run_id, 'running', created_at, coalesce(started_at, ?1), ended_at, ?2, ?3,
        cancel_requested_at, runtime_profile)
WHERE position = ?4 AND ended_at IS NULL;

-- insert_attempt --
-- Record a hand-over.
INSERT INTO attempts (position, attempt, token, instance_id, first_seq, dispatched_at, deadline_at)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- end_attempt --
-- Record how a hand-over ended.
UPDATE attempts SET ended_at = ?, outcome = ? WHERE position = ? AND attempt = ? AND ended_at IS NULL;

-- append_events --
-- Add run events.
INSERT INTO run_events (position, seq, type, event, sum, count) VALUES (?, ?, ?, ?, ?, ?);

-- end_run --
-- End a run, once.
UPDATE runs SET state = ?1, ended_at = ?2, result = ?3, result_sum = ?4,
    row_sum = row_sum(position, run_id, ?1, created_at, started_at, ?2, instance_id, attempt, cancel_requested_at,
        runtime_profile)
WHERE position = ?5 AND ended_at IS NULL;

-- end_last_attempt --
-- The attempt that ended its run ended with it.
UPDATE attempts SET ended_at = ?, outcome = ?, said = ?
WHERE position = ? AND attempt = (SELECT attempt FROM runs WHERE position = ?) AND ended_at IS NULL;

-- move_cursor --
-- How far an instance's events have been taken.
UPDATE instances SET cursor = ? WHERE instance_id = ?;

-- request_cancel --
-- Remember the first wish to cancel.
UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, ?1),
    row_sum = row_sum(position, run_id, state, created_at, started_at, ended_at, instance_id, attempt,
        coalesce(cancel_requested_at, ?1), runtime_profile)
WHERE position = ?2 AND ended_at IS NULL;

-- find_runs --
-- Runs by their ids, a JSON array.
SELECT * FROM runs WHERE run_id IN (SELECT value FROM json_each(?));

-- find_run_by_key --
-- The run that was submitted with a key.
SELECT * FROM runs WHERE idempotency_key = ?;

-- list_runs --
-- Runs at these positions, a JSON array, newest first.
SELECT * FROM runs WHERE position IN (SELECT value FROM json_each(?)) ORDER BY position DESC;

-- find_position --
-- Where the runs of a time, and of later ones, begin.
SELECT position FROM runs WHERE created_at >= ? ORDER BY created_at, position LIMIT 1;

-- newest --
-- Positions in a range, from the end.
SELECT position FROM runs WHERE position >= ? AND position < ? ORDER BY position DESC LIMIT ?;

-- newest_in_state --
-- The same, of runs in one state.
SELECT position FROM runs WHERE state = ? AND position >= ? AND position < ? ORDER BY position DESC LIMIT ?;

-- newest_of_profile --
-- The same, of runs for one profile in one state.
SELECT position FROM runs WHERE runtime_profile = ? AND state = ? AND position >= ? AND position < ?
ORDER BY position DESC LIMIT ?;

-- count_label --
-- How many runs have a label, up to a number.
SELECT count(*) FROM (SELECT 1 FROM run_labels WHERE name = ? AND value = ? LIMIT ?);

-- newest_with_labels --
-- The same, of runs with a label, further labels (a JSON object), one of some states (a JSON array), and a profile.
SELECT labeled.position FROM run_labels AS labeled CROSS JOIN runs USING (position)
WHERE labeled.name = :name AND labeled.value = :value AND labeled.position >= :first AND labeled.position < :end
    AND runs.state IN (SELECT value FROM json_each(:states))
    AND (:profile IS NULL OR runs.runtime_profile = :profile)
    AND NOT EXISTS (
        SELECT 1 FROM json_each(:others) AS other WHERE NOT EXISTS (
            SELECT 1 FROM run_labels AS further
            WHERE further.name = other.key AND further.value = other.value AND further.position = labeled.position
        )
    )
ORDER BY labeled.position DESC LIMIT :limit;

-- keep_with_labels --
-- Those of some positions (a JSON array) whose runs have all labels (a JSON object).
SELECT given.value FROM json_each(:positions) AS given WHERE NOT EXISTS (
    SELECT 1 FROM json_each(:labels) AS wanted WHERE NOT EXISTS (
        SELECT 1 FROM run_labels
        WHERE name = wanted.key AND run_labels.value = wanted.value AND position = given.value
    )
);

-- list_open_runs --
-- What has not ended, in order of arrival.
SELECT * FROM runs WHERE ended_at IS NULL ORDER BY position;

-- list_attempts --
-- The attempts of a run.
SELECT * FROM attempts WHERE position = ? ORDER BY attempt;

-- list_events --
-- A run's log, from the row on that has the event with a seq, or else the one before it.
SELECT * FROM run_events WHERE position = :position AND seq >= (
    SELECT coalesce(max(seq), 0) FROM run_events WHERE position = :position AND seq <= :seq
) ORDER BY seq;

-- count_events --
-- The next seq of a run.
SELECT coalesce((SELECT seq + count FROM run_events WHERE position = ? ORDER BY seq DESC LIMIT 1), 0);

-- put_profile --
-- Add or replace a profile.
INSERT INTO profiles (name, version, body, sum) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body, sum = excluded.sum;

-- delete_profile --
-- Forget a profile.
DELETE FROM profiles WHERE name = ?;

-- list_profiles --
-- All profiles.
SELECT * FROM profiles ORDER BY name;

-- put_instance --
-- Add or replace an instance; a cursor stays where none is given.
INSERT INTO instances (instance_id, body, cursor, sum) VALUES (?, ?, ?, ?)
ON CONFLICT (instance_id)
DO UPDATE SET body = excluded.body, cursor = coalesce(excluded.cursor, cursor), sum = excluded.sum;

-- delete_instance --
-- Forget an instance.
DELETE FROM instances WHERE instance_id = ?;

-- list_instances --
-- All instances.
SELECT * FROM instances ORDER BY instance_id;

-- beat --
-- Show that writes work.
INSERT INTO heartbeat (id, beat) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beat = beat + 1;
