"""Which instances a run may go to, and which of them it goes to. Pure."""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
from msgspec import UNSET

from arp_daemon.endpoint import normal_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from msgspec import UnsetType

    from arp_model import RunRequestRuntimeSelector

DEFAULT_PROFILE = "default"


class Candidate(Protocol):
    """What a selector looks at in an instance."""

    @property
    def instance_id(self) -> str:
        """Its id."""

    @property
    def runtime_profile(self) -> str | None:
        """The profile that it belongs to."""

    @property
    def runtime_name(self) -> str | None:
        """What runtime it is."""

    @property
    def endpoint(self) -> str:
        """Its base URL."""

    @property
    def free_slots(self) -> int:
        """How many more runs it can be given now; 0 unless it is ready."""

    @property
    def load(self) -> int:
        """How many runs it has."""


C = TypeVar("C", bound=Candidate)
_load_of = attrgetter("load")


class Selector(msgspec.Struct, frozen=True):
    """A run's runtime_selector, with the default applied. Equal selectors share a queue."""

    runtime_profile: str | None = None
    instance_id: str | None = None
    runtime_name: str | None = None
    endpoint: str | None = None

    def admits(self, instance: Candidate) -> bool:
        """Whether the instance fits every part that is given."""
        return (
            (self.runtime_profile is None or self.runtime_profile == instance.runtime_profile)
            and (self.instance_id is None or self.instance_id == instance.instance_id)
            and (self.runtime_name is None or self.runtime_name == instance.runtime_name)
            and (self.endpoint is None or self.endpoint == instance.endpoint)
        )


def read_selector(given: RunRequestRuntimeSelector | UnsetType) -> Selector:
    """A selector that says nothing means the profile `default`."""
    parts = {} if given is UNSET else {k: v for k, v in given.to_dict().items() if k != "runtime_api_endpoint"}
    if given is not UNSET and given.runtime_api_endpoint is not UNSET:
        parts["endpoint"] = normal_endpoint(given.runtime_api_endpoint)
    return Selector(**parts) if parts else Selector(runtime_profile=DEFAULT_PROFILE)


def least_loaded(instances: Iterable[C]) -> C | None:
    """The instance that gets the next run, if one has a free slot: what `by_load` begins with."""
    return min((instance for instance in instances if instance.free_slots > 0), key=_load_of, default=None)


def by_load(instances: Iterable[C]) -> Iterator[C]:
    """Yield the instance that gets the next run, as long as one has a free slot: the one with the fewest runs.

    The first among equals. Each has to be given its run before the next one is asked for.
    """
    free = [(instance.load, place, instance) for place, instance in enumerate(instances) if instance.free_slots > 0]
    heapify(free)
    while free:
        _load, place, instance = free[0]
        if instance.free_slots > 0:
            yield instance
            heapreplace(free, (instance.load, place, instance))
        else:
            heappop(free)
