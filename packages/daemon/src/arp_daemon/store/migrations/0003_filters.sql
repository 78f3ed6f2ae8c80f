-- What lists of runs are filtered by, and the key that a client may give beside the run id.
-- `runtime_profile` is the one that the run's selector names: `default` where there is no selector, and NULL where it
-- names an instance, a runtime or an endpoint alone.

ALTER TABLE runs ADD COLUMN runtime_profile TEXT;
ALTER TABLE runs ADD COLUMN idempotency_key TEXT;

CREATE TABLE run_labels (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    position INTEGER NOT NULL REFERENCES runs (position),
    PRIMARY KEY (name, value, position)
) WITHOUT ROWID;

-- Runs that are here already. A request whose bytes were damaged is left to be reported when it is read.
UPDATE runs SET runtime_profile = CASE
    WHEN json_extract(CAST(request AS TEXT), '$.runtime_selector.runtime_profile') IS NOT NULL
        THEN json_extract(CAST(request AS TEXT), '$.runtime_selector.runtime_profile')
    WHEN coalesce(json_extract(CAST(request AS TEXT), '$.runtime_selector'), '{}') = '{}' THEN 'default'
END
WHERE json_valid(CAST(request AS TEXT));

INSERT OR IGNORE INTO run_labels (name, value, position)
SELECT label.key, label.value, runs.position
FROM runs, json_each(iif(json_valid(CAST(request AS TEXT)), CAST(request AS TEXT), '{}'), '$.metadata.labels') AS label
WHERE label.type = 'text';

-- Times never go back from one run to the next (`insert_run` sees to it), so that a range of time is a range of
-- positions. A clock that was set back may have left some that do.
UPDATE runs SET created_at = until_here.latest
FROM (SELECT position AS place, max(created_at) OVER (ORDER BY position) AS latest FROM runs) AS until_here
WHERE until_here.place = runs.position AND runs.created_at < until_here.latest;

-- Each ends in the position, as every index of a table with a rowid does: lists are read from it in their order.
CREATE INDEX runs_by_state ON runs (state);
CREATE INDEX runs_by_profile ON runs (runtime_profile, state);
CREATE INDEX runs_by_time ON runs (created_at);
CREATE UNIQUE INDEX runs_by_key ON runs (idempotency_key) WHERE idempotency_key IS NOT NULL;
