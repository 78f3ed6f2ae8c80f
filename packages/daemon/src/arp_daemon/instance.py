"""One runtime instance, as the daemon sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from msgspec import UNSET

from arp_daemon.address import Address
from arp_daemon.store import InstanceRecord
from arp_model import InstanceState, RuntimeInstance
from arp_service.changed import Changed
from arp_service.processes import ProcessIdentity

if TYPE_CHECKING:
    from msgspec import UnsetType

    from arp_daemon.launcher import Exited
    from arp_daemon.open_run import OpenRun
    from arp_model import Metadata, VersionInfo

# Features that a runtime announces in `VersionInfo.extensions["arp.features"]`.
BATCH, EVENTS, RUN_EVENTS, RUN_TRACE = "runs.batch", "events", "run.events", "run.trace"

# How many runs at once, where neither the profile nor the instance says: our runtime takes many, and who is given
# runs one by one is not known to.
_BATCH_CONCURRENCY = 64
_PLAIN_CONCURRENCY = 4


class Replacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance is to be replaced: with how many at once at most, and how long its runs may go on."""

    at_once: int = 1
    grace_s: float | None = None


class InstanceFacts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is stored of an instance, enough to find it again after a daemon restart."""

    instance_id: str
    address: Address
    managed: bool
    runtime_profile: str | None = None
    profile_version: int | None = None
    runtime_name: str | None = None
    runtime_version: str | None = None
    concurrency: int | None = None
    stop_grace_s: float = 5.0
    nonce: str | None = None
    metadata: dict[str, Any] | None = None
    environment: str | None = None
    """The name of the folder of the Python environment that it runs in."""
    was_ready: bool = False
    """It was healthy, and so was what was created together with it."""
    overrides: dict[str, Any] | None = None
    """What the client who created it has set."""
    replaces: str | None = None
    """The instance in whose place it was started."""
    replace: Replacement | None = None
    """It is to be replaced by another one."""
    leaving: bool = False
    """It gets no more runs, and is stopped when those that it has have ended."""
    leave_by: float | None = None
    """When it is stopped at the latest, in seconds since 1970."""
    pid: int | None = None
    start_time: int | None = None
    boot_id: str | None = None
    limits: dict[str, Any] = {}
    """What holds each limit of its profile on this machine, as the launcher says."""
    features: list[str] = []

    @property
    def identity(self) -> ProcessIdentity | None:
        """Its root process, where it is managed and has been launched."""
        if self.pid is None or self.start_time is None or self.boot_id is None:
            return None
        return ProcessIdentity(self.pid, self.start_time, self.boot_id)


class Instance:
    """Owned by the instance manager, which alone sets its state; the dispatcher assigns runs to it."""

    def __init__(self, facts: InstanceFacts, state: InstanceState) -> None:
        self.facts = facts
        self.lifecycle = state
        self.features = frozenset(facts.features)
        self.cursor: str | None = None
        self.assigned: dict[str, OpenRun] = {}
        self.stuck: set[str] = set()
        """Ids of runs that it was told to stop, and works on all the same."""
        self.held_slots = 0
        """Slots of runs that are just being stored as claimed for it."""
        self.paused = False
        """It said that it is busy: nothing for a moment."""
        self.error: str | None = None
        self.last_words = ""
        """The tail of its stderr, where it ended badly."""
        self.ready_since = 0.0
        self.idle_since = 0.0
        """When its last run ended, by the event loop's clock."""
        self.exited: Exited | None = None
        self.changed = Changed()
        """It has no run any more, or one less beside what it is stuck with, or the state changed."""

    @property
    def instance_id(self) -> str:
        """Its id."""
        return self.facts.instance_id

    @property
    def runtime_profile(self) -> str | None:
        """The profile that it was launched from or registered under."""
        return self.facts.runtime_profile

    @property
    def runtime_name(self) -> str | None:
        """What runtime it is."""
        return self.facts.runtime_name

    @property
    def address(self) -> Address:
        """How it is reached."""
        return self.facts.address

    @property
    def endpoint(self) -> str:
        """Where it is reached, as people are shown it."""
        return self.facts.address.endpoint

    @property
    def concurrency(self) -> int:
        """How many runs it is given at once."""
        if self.facts.concurrency is not None:
            return self.facts.concurrency
        return _BATCH_CONCURRENCY if BATCH in self.features else _PLAIN_CONCURRENCY

    @property
    def load(self) -> int:
        """How many runs it has, or is about to have."""
        return len(self.assigned) + self.held_slots

    @property
    def free_slots(self) -> int:
        """How many more runs it can be given now."""
        taking = self.lifecycle is InstanceState.READY and not (self.paused or self.leaving or self.stuck)
        return self.concurrency - self.load if taking else 0

    @property
    def leaving(self) -> bool:
        """Whether it is on its way out: it gets no more runs."""
        return self.facts.leaving

    def leave(self) -> None:
        """Give it no more runs."""
        self.facts.leaving = True
        self.changed.notify()

    @property
    def only_stuck(self) -> bool:
        """Whether all that it works on is what it was told to stop."""
        return bool(self.stuck) and self.assigned.keys() <= self.stuck

    def assign(self, run: OpenRun) -> None:
        """Give it a run."""
        self.assigned[run.run_id] = run

    def hold_slot(self) -> None:
        """Keep a slot for a run that is being stored."""
        self.held_slots += 1

    def give_slot_back(self) -> None:
        """Keep it no longer: the run has been assigned, or is none."""
        self.held_slots -= 1
        if not self.load:
            self.changed.notify()

    def release(self, run: OpenRun) -> None:
        """Free the slot of a run."""
        if self.assigned.pop(run.run_id, None) is None:
            return
        self.stuck.discard(run.run_id)
        if not self.assigned:
            self.idle_since = anyio.current_time()
        if self.stuck or not self.load:
            self.changed.notify()

    def stick(self, run: OpenRun) -> None:
        """It does not stop its work on a run: it gets no more of them."""
        self.stuck.add(run.run_id)
        self.changed.notify()

    def learn(self, version: VersionInfo) -> None:
        """Take over what the runtime says of itself."""
        self.facts.runtime_version = version.service_version
        if self.facts.runtime_name is None:
            self.facts.runtime_name = version.service_name
        extensions = {} if version.extensions is UNSET else version.extensions
        found = extensions.get("arp.features")
        self.facts.features = [f for f in found if isinstance(f, str)] if isinstance(found, list) else []
        self.features = frozenset(self.facts.features)
        capacity = extensions.get("arp.max_concurrent_runs")
        if self.facts.concurrency is None and isinstance(capacity, int) and capacity > 0:
            self.facts.concurrency = min(capacity, self.concurrency)

    def record(self) -> InstanceRecord:
        """What is stored of it; the cursor is stored with the events."""
        return InstanceRecord(self.instance_id, msgspec.json.encode(self.facts), None)

    def view(self, *, outdated: bool) -> RuntimeInstance:
        """The standard's RuntimeInstance. `outdated`: its profile has another version by now."""
        facts = self.facts
        extensions: dict[str, Any] = {"arp.runs": self.load, "arp.concurrency": self.concurrency}
        if facts.profile_version is not None:
            extensions["arp.profile_version"] = facts.profile_version
        if outdated:
            extensions["arp.outdated"] = True
        if self.error is not None:
            extensions["arp.error"] = {"reason": self.error, "stderr_tail": self.last_words}
        if facts.limits:
            extensions["arp.limits"] = facts.limits
        if self.stuck:
            extensions["arp.stuck_runs"] = sorted(self.stuck)
        if facts.pid is not None:
            extensions["arp.pid"] = facts.pid
        return RuntimeInstance.from_dict(
            {
                "instance_id": facts.instance_id,
                "state": self._state_shown().value,
                "managed": facts.managed,
                "runtime_api_endpoint": self.endpoint,
                "extensions": extensions,
                **_present("runtime_profile", facts.runtime_profile),
                **_present("runtime_name", facts.runtime_name),
                **_present("runtime_version", facts.runtime_version),
                **_present("metadata", facts.metadata),
            }
        )

    def _state_shown(self) -> InstanceState:
        """`busy` is ready without a free slot."""
        if self.lifecycle is not InstanceState.READY:
            return self.lifecycle
        if self.leaving:
            return InstanceState.STOPPING
        return InstanceState.BUSY if self.free_slots <= 0 else InstanceState.READY


def instance_environments(records: list[InstanceRecord]) -> set[str]:
    """The environments that stored instances run in."""
    facts = [msgspec.json.decode(record.body, type=InstanceFacts) for record in records]
    return {fact.environment for fact in facts if fact.environment is not None}


def metadata_dict(metadata: Metadata | UnsetType) -> dict[str, Any] | None:
    """A request's metadata as it is stored with an instance."""
    return None if metadata is UNSET else metadata.to_dict()


def _present(name: str, value: object) -> dict[str, Any]:
    return {} if value is None else {name: value}
