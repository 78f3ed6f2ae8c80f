"""What a selector means in this daemon, now: which instances it admits, and which profile could start one for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.errors import InvalidSelectorError, NoMatchingInstanceError, ProfileNotFoundError

if TYPE_CHECKING:
    from arp_daemon.instances import InstanceManager
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.selector import Selector
    from arp_model import RuntimeProfile


class Matcher:
    """Asked for every run that is submitted, and for every queue that has no instance."""

    def __init__(self, instances: InstanceManager, profiles: ProfileManager) -> None:
        self._instances = instances
        self._profiles = profiles

    def check(self, selector: Selector) -> None:
        """Refuse a selector that nothing there is, and nothing that could be started, fits.

        Raises:
            InvalidSelectorError: its parts contradict each other.
            ProfileNotFoundError, InstanceNotFoundError, NoMatchingInstanceError: it matches nothing.
        """
        if any(selector.admits(instance) and not instance.leaving for instance in self._instances.all()):
            return
        if selector.instance_id is not None:
            if self._instances.get(selector.instance_id).leaving:
                raise NoMatchingInstanceError(f"Instance {selector.instance_id!r} is stopping, and takes no more runs.")
            raise InvalidSelectorError(
                f"$.runtime_selector: instance {selector.instance_id!r} does not fit the other parts."
            )
        if self.profile_to_start(selector) is not None:
            return
        if selector.runtime_profile is not None and self._profiles.find(selector.runtime_profile) is None:
            raise ProfileNotFoundError(selector.runtime_profile)
        raise NoMatchingInstanceError("No instance fits the runtime_selector, and no profile can start one.")

    def profile_to_start(self, selector: Selector) -> RuntimeProfile | None:
        """The profile from which an instance for this selector can be launched, or None."""
        if selector.instance_id is not None or selector.endpoint is not None:
            return None
        profile = self._profiles.find(selector.runtime_profile)
        if profile is None and selector.runtime_profile is None:
            profile = self._profiles.find_by_runtime_name(selector.runtime_name)
        if profile is None or self._profiles.exec_of(profile.runtime_profile) is None:
            return None
        if selector.runtime_name is not None and profile.runtime_name != selector.runtime_name:
            return None
        return profile
