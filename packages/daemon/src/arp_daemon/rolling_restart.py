"""Replacing a profile's instances one after the other, so that there is always one to take a run.

Where the profile's `max` has room, the new instance is ready before the old one is drained; else it is started when the
old one is gone. Which instances are to be replaced stands in their records, so the next daemon goes on with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import structlog

from arp_daemon.creation import launch_details
from arp_daemon.errors import EnvironmentBuildingError, ProfileNotFoundError
from arp_model import InstanceState
from arp_service.errors import ServiceError
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.creation import InstanceCreator
    from arp_daemon.draining import Drains
    from arp_daemon.instance import Instance, Replacement
    from arp_daemon.instances import InstanceManager
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.store import Store
    from arp_model import RuntimeProfile
    from arp_service.changed import Changed
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)


class RollingRestarts:
    """Owns one task for each profile that is being restarted. `changed` tells when environments are ready."""

    def __init__(
        self,
        instances: InstanceManager,
        creator: InstanceCreator,
        profiles: ProfileManager,
        drains: Drains,
        store: Store,
        changed: Changed,
        tasks: TaskGroup,
        stop: Stop,
    ) -> None:
        self._instances = instances
        self._creator = creator
        self._profiles = profiles
        self._drains = drains
        self._store = store
        self._changed = changed
        self._tasks = tasks
        self._stop = stop
        self._restarts: dict[str, _Restart] = {}

    async def begin(self, profile: RuntimeProfile, how: Replacement, *, only_outdated: bool) -> None:
        """Replace the instances that there are, or those of them that run an older version.

        While a restart is under way another call does not begin a second one: it only adds what has become outdated
        meanwhile. Returns when it is on the disk what is to be done.
        """
        name = profile.runtime_profile
        under_way = name in self._restarts and self._restarts[name].state == "running"
        for instance in self._instances.of_profile(name):
            outdated = self._profiles.is_outdated(instance)
            just_starting = instance.lifecycle is InstanceState.STARTING
            if instance.facts.replace is None and (outdated or not (only_outdated or under_way or just_starting)):
                instance.facts.replace = how
                await self._store.put_instance(instance.record())
        self._go_on(name, how.at_once)

    def resume(self) -> None:
        """Go on with what an earlier daemon began."""
        for profile in self._profiles.all():
            if marked := self._marked(profile.runtime_profile):
                self._go_on(profile.runtime_profile, marked[0][1].at_once)

    def view(self, name: str) -> dict[str, Any] | None:
        """How the last restart of a profile goes or went; None where there was none."""
        restart = self._restarts.get(name)
        if restart is None:
            return None
        error = {} if restart.error is None else {"error": restart.error}
        remaining = len(self._marked(name)) + restart.draining
        return {"state": restart.state, "replaced": restart.replaced, "remaining": remaining, **error}

    # ---------------------------------------------------------------------------------------------------------

    def _marked(self, name: str) -> list[tuple[Instance, Replacement]]:
        live = self._instances.of_profile(name)
        return [(i, i.facts.replace) for i in live if i.facts.replace is not None]

    def _go_on(self, name: str, at_once: int) -> None:
        if name in self._restarts and self._restarts[name].state == "running":
            return
        restart = self._restarts[name] = _Restart(anyio.CapacityLimiter(at_once))
        if self._marked(name):
            self._tasks.start_soon(self._roll, name, restart)
        else:
            restart.state = "done"

    async def _roll(self, name: str, restart: _Restart) -> None:
        while restart.state == "running" and not self._stop.requested.is_set() and (marked := self._marked(name)):
            # The first alone: a version that does not start is found out with one.
            together = marked if restart.replaced else marked[:1]
            async with anyio.create_task_group() as tasks:
                for instance, how in together:
                    tasks.start_soon(self._replace, restart, instance, how)
        if restart.state == "running":
            restart.state = "done"
        else:
            await self._spare(name)
        _log.info("profile_restarted", runtime_profile=name, state=restart.state, replaced=restart.replaced)

    async def _spare(self, name: str) -> None:
        """What has not been replaced by a restart that failed stays."""
        for instance, _how in self._marked(name):
            instance.facts.replace = None
            try:
                await self._store.put_instance(instance.record())
            except StoreUnavailableError as exc:  # the next daemon tries to restart it once more
                _log.warning("instance_stays_marked", instance_id=instance.instance_id, error=exc.message)

    async def _replace(self, restart: _Restart, old: Instance, how: Replacement) -> None:
        """One failure ends the restart: what still works is left as it is."""
        async with restart.limiter:
            try:
                if restart.state == "running":
                    await self._replace_one(restart, old, how)
            except ServiceError as exc:
                restart.state, restart.error = "failed", exc.message
                _log.warning("profile_restart_failed", instance_id=old.instance_id, error=exc.message)

    async def _replace_one(self, restart: _Restart, old: Instance, how: Replacement) -> None:
        while old.lifecycle is InstanceState.STARTING:
            await old.changed.wait()
        if self._stop.requested.is_set():
            return
        if not self._instances.has(old) or old.leaving:  # it went by itself, and the pool has seen to that
            return
        replaced = any(i.facts.replaces == old.instance_id for i in self._instances.of_profile(old.runtime_profile))
        if not replaced:
            replaced = await self._start_in_place_of(old)
        restart.draining += 1
        try:
            await self._drains.begin(old, how.grace_s)
            while self._instances.has(old):
                await old.changed.wait()
        finally:
            restart.draining -= 1
        restart.replaced += 1
        if not replaced:
            await self._start_in_place_of(old)

    async def _start_in_place_of(self, old: Instance) -> bool:
        """Start another one, where there is room. Waits for the profile's environment.

        Raises:
            ServiceError: it did not start.
        """
        while True:
            profile = self._profiles.find(old.runtime_profile)
            if profile is None:
                raise ProfileNotFoundError(str(old.runtime_profile))
            obstacle = self._creator.obstacle(launch_details(profile))
            if not isinstance(obstacle, EnvironmentBuildingError):
                break
            await self._changed.wait()
        if obstacle is not None:
            raise obstacle
        if self._stop.requested.is_set() or not self._creator.has_room(profile):
            return False
        new = self._creator.reserve_in_place_of(old, profile)
        await self._creator.start(new, profile)
        return True


class _Restart:
    """One restart of one profile."""

    def __init__(self, limiter: anyio.CapacityLimiter) -> None:
        self.limiter = limiter
        self.state = "running"
        self.replaced = 0
        self.draining = 0
        self.error: str | None = None
