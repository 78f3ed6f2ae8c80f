-- Times are whole microseconds since 1970-01-01 UTC. `sum` columns are CRC-32 checksums of the row's content.

CREATE TABLE runs (
    position INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL,
    taken_at INTEGER NOT NULL,
    began_at INTEGER,
    ended_at INTEGER,
    state TEXT,
    result BLOB,
    sum INTEGER
);

CREATE TABLE run_events (
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

CREATE TABLE trace_entries (
    position INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    entry BLOB NOT NULL
);

CREATE INDEX trace_entries_of_run ON trace_entries (run_id);
