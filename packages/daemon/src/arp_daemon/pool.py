"""Keeps each profile's instances at the number that is wanted: starts, replaces, and stops idle ones.

`pool_policy` decides how many and how soon; here it is done.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.errors import EnvironmentBuildingError, InstanceStartError
from arp_daemon.pool_policy import PATIENCE, Demand, Health, is_replaced, wanted
from arp_daemon.probe import Condition, look_at
from arp_model import InstanceState
from arp_service.errors import ServiceError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.creation import InstanceCreator
    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.instance import Instance
    from arp_daemon.instances import InstanceManager
    from arp_daemon.matching import Matcher
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.run_queue import RunQueue
    from arp_model import RuntimeProfile
    from arp_service.stopping import Stop

_log = structlog.get_logger(__name__)

# A hung instance is noticed after one pause and three looks of that length: 12 s.
_LOOK_EVERY_S = 3.0
_LOOKS = 3
# At the latest, the pool is looked over this often, should a change have been missed.
_LOOK_OVER_S = 5.0


class PoolKeeper:
    """One task looks over all profiles whenever something changed; starts and stops are tasks of their own."""

    def __init__(
        self,
        profiles: ProfileManager,
        instances: InstanceManager,
        creator: InstanceCreator,
        matcher: Matcher,
        runs: OpenRuns,
        queue: RunQueue,
        stop: Stop,
    ) -> None:
        self._profiles = profiles
        self._instances = instances
        self._creator = creator
        self._matcher = matcher
        self._runs = runs
        self._queue = queue
        self._stop = stop
        self._health: dict[str, Health] = {}
        self._asked_for: Counter[str] = Counter()
        self._looking_for: set[str] = set()

    # -- what others tell ------------------------------------------------------------------------------------

    def asked_for(self, instances: list[Instance]) -> None:
        """A client created these: they are kept up like the profile's `min`."""
        for instance in instances:
            name = str(instance.runtime_profile)
            self._asked_for[name] += 1
            self._health.pop(name, None)
            self._instances.clear_errors(name)

    def let_go(self, instance: Instance) -> None:
        """A client deleted this one: it is not kept up. Call before it is on its way out."""
        if instance.leaving or not instance.facts.managed:
            return
        self._asked_for[str(instance.runtime_profile)] -= self._asked_for[str(instance.runtime_profile)] > 0

    def forget(self, name: str) -> None:
        """A profile was deleted: another one of its name has no past."""
        self._health.pop(name, None)
        self._asked_for.pop(name, None)
        self._instances.clear_errors(name)

    def on_exit(self, instance: Instance, reason: str) -> None:
        """An instance ended by itself. One that was on its way out counts as no crash."""
        profile = self._profiles.find(instance.runtime_profile)
        if profile is None or instance.leaving:
            return
        name, spec = profile.runtime_profile, self._profiles.exec_of(profile.runtime_profile)
        code = None if instance.exited is None else instance.exited.exit_code
        if spec is not None and is_replaced(spec.restart, code):
            lived = anyio.current_time() - instance.ready_since
            self._crashed(name, instance, reason, lived)
        elif self._asked_for[name]:
            self._asked_for[name] -= 1
        else:
            self._health_of(profile).given_up += 1
        self._queue.changed.notify()

    # -- the tasks -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look over the pool for ever."""
        async with anyio.create_task_group() as tasks:
            while not self._stop.requested.is_set():
                self._look_for_registered(tasks)
                self._stop_orphans(tasks)
                due = min([self._tend(profile, tasks) for profile in self._profiles.all()], default=math.inf)
                with anyio.move_on_at(min(due, anyio.current_time() + _LOOK_OVER_S)):
                    await self._queue.changed.wait()

    async def watch(self, instance: Instance) -> None:
        """Look at a ready instance now and then; drop it when it hangs, let it go when it is spent.

        One bad answer alone is no reason.
        """
        missed = 0
        async with anyio.create_task_group() as tasks:
            while instance.lifecycle is InstanceState.READY:
                began = anyio.current_time()
                condition = await look_at(instance.address, _LOOK_EVERY_S)
                missed = missed + 1 if condition is Condition.SILENT else 0
                if missed >= _LOOKS:
                    await self._instances.drop(instance, f"did not answer well {missed} times in a row")
                    return  # should it come back, it is watched anew
                if condition is Condition.SPENT and instance.facts.managed and not instance.leaving:
                    _log.warning("instance_spent", instance_id=instance.instance_id)
                    tasks.start_soon(self._instances.drain, instance, None)
                await anyio.sleep_until(began + _LOOK_EVERY_S)

    # ---------------------------------------------------------------------------------------------------------

    def _look_for_registered(self, tasks: TaskGroup) -> None:
        """A registered instance that did not answer may come back."""
        for instance in self._instances.all():
            lost = not instance.facts.managed and instance.lifecycle is InstanceState.ERROR
            if lost and instance.instance_id not in self._looking_for:
                self._looking_for.add(instance.instance_id)
                tasks.start_soon(self._look_for, instance)

    def _stop_orphans(self, tasks: TaskGroup) -> None:
        """The instances of a profile that was deleted by force: nobody starts another one in their place."""
        for instance in self._instances.all():
            orphan = instance.facts.managed and self._profiles.find(instance.runtime_profile) is None
            if orphan and instance.lifecycle is InstanceState.READY and not instance.leaving:
                instance.leave()
                tasks.start_soon(self._instances.drain, instance, instance.facts.stop_grace_s)

    async def _look_for(self, instance: Instance) -> None:
        try:
            if await look_at(instance.address, _LOOK_EVERY_S) is not Condition.SILENT:
                self._instances.revive(instance)
        finally:
            self._looking_for.discard(instance.instance_id)

    def _tend(self, profile: RuntimeProfile, tasks: TaskGroup) -> float:
        """Bring one profile nearer to what is wanted; return when to look again at the latest."""
        spec = self._profiles.exec_of(profile.runtime_profile)
        if spec is None:
            return math.inf
        live = self._instances.of_profile(profile.runtime_profile)
        demand = self._demand(profile, live)
        room = spec.max - len(self._instances.leaving_of(profile.runtime_profile))
        falling = len(self._instances.falling_of(profile.runtime_profile))
        missing = wanted(spec, demand, len(live), spec.concurrency or 1, room) - len(live) - falling
        if missing <= 0:
            return self._stop_idle(profile, spec, live, tasks)
        if obstacle := self._creator.obstacle(spec):
            if not isinstance(obstacle, EnvironmentBuildingError):
                tasks.start_soon(self._tell_waiting, profile, obstacle)
            return math.inf
        health = self._health_of(profile)
        if health.broken is not None:
            reason = f"Instances of profile {profile.runtime_profile!r} keep failing: {health.broken}"
            tasks.start_soon(self._give_up_waiting, profile, InstanceStartError(reason))
            return math.inf
        if health.not_before > anyio.current_time():
            return health.not_before
        for _ in range(missing):
            tasks.start_soon(self._start, profile, self._creator.reserve(profile))
        return math.inf

    def _demand(self, profile: RuntimeProfile, live: list[Instance]) -> Demand:
        queued = sum(
            self._queue.waiting(selector)
            for selector in self._queue.selectors()
            if self._matcher.profile_to_start(selector) is profile
        )
        starting = sum(i.lifecycle is InstanceState.STARTING for i in live)
        return Demand(
            asked_for=self._asked_for[profile.runtime_profile],
            busy=sum(i.load > 0 for i in live),
            queued_runs=queued,
            free_slots=sum(i.free_slots for i in live) + starting * live[0].concurrency if live else 0,
            given_up=self._health_of(profile).given_up,
        )

    async def _start(self, profile: RuntimeProfile, instance: Instance) -> None:
        try:
            await self._creator.start(instance, profile)
        except ServiceError as exc:
            _log.warning("instance_start_failed", error=exc.message, **(exc.details or {}))
            instance.last_words = str((exc.details or {}).get("stderr_tail", ""))
            self._crashed(profile.runtime_profile, instance, exc.message, 0.0)
            await self._give_up_waiting(profile, exc)
        else:
            self._health_of(profile).started()
        self._queue.changed.notify()

    async def _give_up_waiting(self, profile: RuntimeProfile, error: ServiceError) -> None:
        """Runs that wait in vain are told why: nothing lives that could serve them, and starts keep failing."""
        if self._health_of(profile).streak >= PATIENCE:
            await self._tell_waiting(profile, error)

    async def _tell_waiting(self, profile: RuntimeProfile, error: ServiceError) -> None:
        if self._instances.of_profile(profile.runtime_profile):
            return
        for selector in self._queue.selectors():
            if self._matcher.profile_to_start(selector) is profile:
                await self._runs.fail_all(list(self._queue.drain(selector)), error)

    def _stop_idle(self, profile: RuntimeProfile, spec: AnyExec, live: list[Instance], tasks: TaskGroup) -> float:
        """Stop what has been idle for long, down to `min` and `warm`."""
        if spec.idle_timeout_s is None:
            return math.inf
        busy = sum(i.load > 0 for i in live)
        surplus = len(live) - max(spec.min, busy + spec.warm if spec.warm else 0)
        idle = [i for i in live if self._is_idle(i)]
        due = sorted((i.idle_since + spec.idle_timeout_s, i.instance_id) for i in idle)[: max(surplus, 0)]
        for when, instance_id in due:
            if when <= anyio.current_time():
                instance = self._instances.get(instance_id)
                self.let_go(instance)
                instance.leave()
                tasks.start_soon(self._instances.drain, instance, instance.facts.stop_grace_s)
        return min((when for when, _ in due if when > anyio.current_time()), default=math.inf)

    def _is_idle(self, instance: Instance) -> bool:
        """Whether it has no run, and none waits that it could be given, now or when it is less busy."""
        if instance.lifecycle is not InstanceState.READY or instance.load:
            return False
        return not any(s.admits(instance) for s in self._queue.selectors() if self._queue.waiting(s))

    def _crashed(self, name: str, instance: Instance, reason: str, lived_s: float) -> None:
        profile = self._profiles.find(name)
        if profile is None:
            return
        health = self._health_of(profile)
        health.crashed(anyio.current_time(), lived_s, reason, random.random())  # noqa: S311 - jitter, no secret
        if health.broken is not None:
            _log.error("profile_broken", runtime_profile=name, reason=reason)
            self._instances.show_error(instance, reason)

    def _health_of(self, profile: RuntimeProfile) -> Health:
        """An upsert makes a new version, which has no past."""
        name, version = profile.runtime_profile, self._profiles.version(profile.runtime_profile)
        if name not in self._health or self._health[name].version != version:
            self._health[name] = Health(version)
            self._instances.clear_errors(name)
        return self._health[name]
