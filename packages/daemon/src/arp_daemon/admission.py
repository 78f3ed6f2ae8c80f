"""Whether a run is taken: somebody can serve it, there is room for it to wait, and it asks for no more than it may."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from arp_daemon.ceilings import ceilings_of
from arp_daemon.errors import QueueFullError
from arp_daemon.exec_spec import DEFAULT_MAX_QUEUED

if TYPE_CHECKING:
    from typing import Self

    from arp_daemon.matching import Matcher
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.selector import Selector
    from arp_model import RunRequest


class Admission:
    """Asked for every run before it is stored."""

    def __init__(self, matcher: Matcher, profiles: ProfileManager, queue: RunQueue, max_queued_bytes: int) -> None:
        self._matcher = matcher
        self._profiles = profiles
        self._queue = queue
        self._max_queued_bytes = max_queued_bytes
        self._entering: Counter[Selector] = Counter()
        self._entering_bytes = 0

    def hold(self, request: RunRequest, selector: Selector, size: int) -> None:
        """Hold a place in the queue for a run of `size` bytes; see `Places`.

        Raises:
            InvalidSelectorError, ProfileNotFoundError, InstanceNotFoundError, NoMatchingInstanceError: nothing fits.
            InvalidRequestError: a limit reaches over the profile's ceiling.
            QueueFullError: as many runs wait as the profile, or as much as the daemon, allows.
        """
        self._check(request, selector, size)
        self._entering[selector] += 1
        self._entering_bytes += size

    def give_back(self, selector: Selector, size: int) -> None:
        """Hold it no longer."""
        self._entering_bytes -= size
        self._entering[selector] -= 1
        if not self._entering[selector]:
            del self._entering[selector]

    def _check(self, request: RunRequest, selector: Selector, size: int) -> None:
        self._matcher.check(selector)
        profile = self._profiles.find(selector.runtime_profile) or self._matcher.profile_to_start(selector)
        name = None if profile is None else profile.runtime_profile
        spec = self._profiles.exec_of(name)
        ceilings_of(spec).check(request.limits)
        given = None if spec is None else spec.max_queued
        max_queued = DEFAULT_MAX_QUEUED if given is None else given
        if self._waiting(selector, name) >= max_queued:
            where = "there" if name is None else f"for runtime profile {name!r}"
            details = {"max_queued": max_queued, **({} if name is None else {"runtime_profile": name})}
            raise QueueFullError(f"{max_queued} runs wait {where} already; send this again in a moment.", details)
        if self._queue.bytes + self._entering_bytes + size > self._max_queued_bytes:
            raise QueueFullError(
                f"The runs that wait hold {self._max_queued_bytes} bytes already; send this again in a moment.",
                {"max_queued_bytes": self._max_queued_bytes},
            )

    def _waiting(self, selector: Selector, runtime_profile: str | None) -> int:
        """How many runs wait, or are about to, for a profile; for the same selector where there is none."""
        return sum(
            self._queue.waiting(other) + self._entering[other]
            for other in {*self._queue.selectors(), *self._entering}
            if other == selector or (runtime_profile is not None and other.runtime_profile == runtime_profile)
        )


class Places:
    """Places in the queue that are held until a block ends: the runs are queued then, or turned out not to be."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held: list[tuple[Selector, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for selector, size in self._held:
            self._admission.give_back(selector, size)

    def hold(self, request: RunRequest, selector: Selector, size: int) -> None:
        """Hold one more; see `Admission.hold` for the errors."""
        self._admission.hold(request, selector, size)
        self._held.append((selector, size))
