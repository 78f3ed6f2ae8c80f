"""Whether a run is taken: somebody can serve it, its profile's queue has room, and it asks for no more than it may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.ceilings import ceilings_of
from arp_daemon.errors import QueueFullError

if TYPE_CHECKING:
    from arp_daemon.matching import Matcher
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.selector import Selector
    from arp_model import RunRequest


class Admission:
    """Asked for every run before it is stored."""

    def __init__(self, matcher: Matcher, profiles: ProfileManager, queue: RunQueue) -> None:
        self._matcher = matcher
        self._profiles = profiles
        self._queue = queue

    def check(self, request: RunRequest, selector: Selector) -> None:
        """Refuse a run that cannot or must not be taken.

        Raises:
            InvalidSelectorError, ProfileNotFoundError, InstanceNotFoundError, NoMatchingInstanceError: nothing fits.
            InvalidRequestError: a limit reaches over the profile's ceiling.
            QueueFullError: as many runs wait as the profile allows.
        """
        self._matcher.check(selector)
        profile = self._profiles.find(selector.runtime_profile) or self._matcher.profile_to_start(selector)
        spec = None if profile is None else self._profiles.exec_of(profile.runtime_profile)
        if profile is None or spec is None:
            return
        ceilings_of(spec).check(request.limits)
        if spec.max_queued is None:
            return
        waiting = sum(
            self._queue.waiting(other)
            for other in self._queue.selectors()
            if other == selector or other.runtime_profile == profile.runtime_profile
        )
        if waiting >= spec.max_queued:
            raise QueueFullError(profile.runtime_profile, spec.max_queued)
