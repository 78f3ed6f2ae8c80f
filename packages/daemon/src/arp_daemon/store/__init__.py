"""The daemon's durable record, behind one protocol."""

from arp_daemon.store.presence import StoreDamagedError
from arp_daemon.store.protocol import OutOfOrderError, Store
from arp_daemon.store.records import (
    ALL_RUNS,
    MAX_TOGETHER,
    Append,
    Attempt,
    AttemptEnd,
    Claim,
    Cursor,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunEnd,
    RunFilter,
    RunRecord,
    RunSummary,
    StoredEvents,
    new_record,
    stored_together,
)
from arp_daemon.store.sqlite import open_sqlite_store

__all__ = [
    "ALL_RUNS",
    "MAX_TOGETHER",
    "Append",
    "Attempt",
    "AttemptEnd",
    "Claim",
    "Cursor",
    "InstanceRecord",
    "NewRun",
    "OutOfOrderError",
    "ProfileRecord",
    "RunEnd",
    "RunFilter",
    "RunRecord",
    "RunSummary",
    "Store",
    "StoreDamagedError",
    "StoredEvents",
    "new_record",
    "open_sqlite_store",
    "stored_together",
]
