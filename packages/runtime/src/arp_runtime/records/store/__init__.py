"""Runs on the disk, for a runtime with a data dir."""

from arp_runtime.records.store.sqlite import RunStore, StoredRun, open_run_store
from arp_runtime.records.store.writer import StoreWriter

__all__ = ["RunStore", "StoreWriter", "StoredRun", "open_run_store"]
