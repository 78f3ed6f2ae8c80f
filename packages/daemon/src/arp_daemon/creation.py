"""Launching instances from a profile: one for the pool, or `count` of them for a client, all or none."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
from msgspec import UNSET

from arp_daemon.address import Address
from arp_daemon.errors import InstanceStartError, ProfileNotLaunchableError
from arp_daemon.exec_spec import find_exec
from arp_daemon.instance import Instance, InstanceFacts, metadata_dict
from arp_daemon.launch_plan import plan_launch
from arp_daemon.overrides import check_overrides
from arp_daemon.starter import how_it_ended
from arp_model import InstanceCreateRequestOverrides, InstanceState
from arp_service.errors import InvalidRequestError, ServiceError
from arp_service.ids import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from msgspec import UnsetType

    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.instances import InstanceManager
    from arp_daemon.preparation import Preparation
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.starter import Starter
    from arp_model import InstanceCreateRequest, RuntimeProfile


class InstanceCreator:
    """Asked by routes to `create`, and by the pool's keeper to `reserve` and `start`."""

    def __init__(
        self, instances: InstanceManager, profiles: ProfileManager, preparation: Preparation, starter: Starter
    ) -> None:
        self._instances = instances
        self._profiles = profiles
        self._preparation = preparation
        self._starter = starter

    def obstacle(self, details: AnyExec) -> InstanceStartError | None:
        """Why nothing can be launched from a profile now, or None."""
        return self._preparation.obstacle(details)

    async def create(self, request: InstanceCreateRequest) -> list[Instance]:
        """Start `count` instances in parallel, all or none.

        Raises:
            ProfileNotFoundError, ProfileNotLaunchableError: nothing can be launched.
            InstanceStartError: one did not start; the others were stopped.
        """
        profile = self._profiles.get(request.runtime_profile)
        details = launch_details(profile)
        check_overrides(details, request.overrides)
        if obstacle := self.obstacle(details):
            raise obstacle
        count = 1 if request.count is UNSET else request.count
        check_count(profile, count, self._present(profile))
        created = [self.reserve(profile, metadata_dict(request.metadata)) for _ in range(count)]
        for instance in created:
            instance.facts.overrides = None if request.overrides is UNSET else request.overrides.to_dict()
        failures: list[ServiceError] = []

        async def launch_one(instance: Instance) -> None:
            try:
                await self._launch(instance, profile)
            except ServiceError as exc:
                failures.append(exc)
                tasks.cancel_scope.cancel()

        async with self._whole_or_gone(created):
            async with anyio.create_task_group() as tasks:
                for instance in created:
                    tasks.start_soon(launch_one, instance)
            if failures:
                raise failures[0]
            await self._take_in(created)
        return created

    def reserve(self, profile: RuntimeProfile, metadata: dict[str, object] | None = None) -> Instance:
        """Take a place in the pool for an instance; `start` it next.

        Raises:
            ProfileNotLaunchableError: the profile does not say how.
        """
        details = launch_details(profile)
        facts = InstanceFacts(
            instance_id=new_id("inst"),
            address=Address("http://127.0.0.1:0"),
            managed=True,
            runtime_profile=profile.runtime_profile,
            profile_version=self._profiles.version(profile.runtime_profile),
            runtime_name=None if profile.runtime_name is UNSET else profile.runtime_name,
            concurrency=details.concurrency,
            stop_grace_s=details.stop_grace_s,
            nonce=secrets.token_hex(16),
            metadata=metadata,
        )
        instance = Instance(facts, InstanceState.STARTING)
        self._instances.add(instance)
        return instance

    def has_room(self, profile: RuntimeProfile) -> bool:
        """Whether one more instance may be started; those on their way out count as long as their processes live."""
        return self._present(profile) < launch_details(profile).max

    def _present(self, profile: RuntimeProfile) -> int:
        name = profile.runtime_profile
        return len(self._instances.of_profile(name)) + len(self._instances.leaving_of(name))

    def reserve_in_place_of(self, old: Instance, profile: RuntimeProfile) -> Instance:
        """Take a place for an instance that is asked for as the old one was.

        Raises:
            InvalidRequestError: the profile no longer lets clients set what was set then.
        """
        check_overrides(launch_details(profile), _overrides(old))
        new = self.reserve(profile, old.facts.metadata)
        new.facts.overrides, new.facts.replaces = old.facts.overrides, old.instance_id
        return new

    async def start(self, instance: Instance, profile: RuntimeProfile) -> None:
        """Launch a reserved instance and wait until it is healthy; nothing is left of one that is not.

        Raises:
            InstanceStartError: with the tail of its stderr.
        """
        async with self._whole_or_gone([instance]):
            await self._launch(instance, profile)
            await self._take_in([instance])

    @asynccontextmanager
    async def _whole_or_gone(self, instances: list[Instance]) -> AsyncIterator[None]:
        """Whatever goes wrong, be it that the caller has gone: nothing is left of any."""
        try:
            yield
        except BaseException:
            if left := [instance for instance in instances if self._instances.has(instance)]:
                with anyio.CancelScope(shield=True):
                    await self._instances.discard_all(left)
            raise

    async def _launch(self, instance: Instance, profile: RuntimeProfile) -> None:
        """Launch it and wait until it is healthy; it gets no runs yet, and is gone where it is not."""
        try:
            surroundings = await self._preparation.surroundings(launch_details(profile))
            if surroundings.venv is not None:
                instance.facts.environment = surroundings.venv.name
            plan = plan_launch(
                profile,
                _overrides(instance),
                surroundings,
                instance_id=instance.instance_id,
                nonce=str(instance.facts.nonce),
            )
            await self._starter.launch(instance, plan)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._instances.discard(instance)
            raise

    async def _take_in(self, instances: list[Instance]) -> None:
        """All of them are healthy: from now on they are found again, and get runs.

        Raises:
            InstanceStartError: one has ended meanwhile.
        """
        for instance in instances:
            instance.facts.was_ready = True
            await self._starter.record(instance)
        for instance in instances:
            check_starting(instance)
        for instance in instances:
            self._instances.ready(instance)


def _overrides(instance: Instance) -> InstanceCreateRequestOverrides | UnsetType:
    given = instance.facts.overrides
    return UNSET if given is None else InstanceCreateRequestOverrides.from_dict(given)


def check_starting(instance: Instance) -> None:
    """Refuse to take in an instance that has ended, or was deleted, while others were still starting.

    Raises:
        InstanceStartError: with its last words.
    """
    if instance.lifecycle is InstanceState.STARTING and instance.exited is None:
        return
    ended = instance.exited
    why = "was deleted" if ended is None else how_it_ended(ended)
    details = {"instance_id": instance.instance_id, "stderr_tail": "" if ended is None else ended.stderr_tail}
    raise InstanceStartError(f"The instance {why} while it started.", details=details)


def launch_details(profile: RuntimeProfile) -> AnyExec:
    """How instances of the profile are launched.

    Raises:
        ProfileNotLaunchableError: the profile does not say.
    """
    details = find_exec(profile.extensions)
    if details is None:
        raise ProfileNotLaunchableError(profile.runtime_profile)
    return details


def check_count(profile: RuntimeProfile, count: int, present: int) -> None:
    """Refuse more instances than the profile's `max`.

    Raises:
        InvalidRequestError: naming the numbers.
    """
    details = find_exec(profile.extensions)
    if details is not None and present + count > details.max:
        raise InvalidRequestError(
            f"$.count: profile {profile.runtime_profile!r} allows {details.max} instances and has {present}.",
            details={"max": details.max, "present": present},
        )
