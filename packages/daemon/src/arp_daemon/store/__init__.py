"""The daemon's durable record, behind one protocol."""

from arp_daemon.store.protocol import Store
from arp_daemon.store.records import (
    Append,
    Attempt,
    AttemptEnd,
    Cursor,
    InstanceRecord,
    NewRun,
    ProfileRecord,
    RunEnd,
    RunRecord,
    StoredEvent,
)
from arp_daemon.store.sqlite import open_sqlite_store

__all__ = [
    "Append",
    "Attempt",
    "AttemptEnd",
    "Cursor",
    "InstanceRecord",
    "NewRun",
    "ProfileRecord",
    "RunEnd",
    "RunRecord",
    "Store",
    "StoredEvent",
    "open_sqlite_store",
]
