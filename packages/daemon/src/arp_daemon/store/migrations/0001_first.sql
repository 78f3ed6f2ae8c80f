-- Times are whole microseconds since 1970-01-01 UTC. `sum` columns are CRC-32 checksums of the row's content.

CREATE TABLE runs (
    position INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    request BLOB NOT NULL,
    request_sum INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    instance_id TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at INTEGER,
    result BLOB,
    result_sum INTEGER
);

CREATE INDEX runs_open ON runs (position) WHERE ended_at IS NULL;

CREATE TABLE attempts (
    position INTEGER NOT NULL REFERENCES runs (position),
    attempt INTEGER NOT NULL,
    token TEXT NOT NULL,
    instance_id TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    dispatched_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    PRIMARY KEY (position, attempt)
) WITHOUT ROWID;

CREATE TABLE run_events (
    position INTEGER NOT NULL REFERENCES runs (position),
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    event BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (position, seq)
) WITHOUT ROWID;

CREATE TABLE profiles (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE instances (
    instance_id TEXT PRIMARY KEY,
    body BLOB NOT NULL,
    cursor TEXT
) WITHOUT ROWID;

CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    beat INTEGER NOT NULL
);
