"""Launching instances from a profile: one for the pool, or `count` of them for a client, all or none."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import anyio
from msgspec import UNSET

from arp_daemon.address import Address
from arp_daemon.errors import InstanceStartError, ProfileNotLaunchableError
from arp_daemon.exec_spec import find_exec
from arp_daemon.instance import Instance, InstanceFacts, metadata_dict
from arp_daemon.launch_plan import plan_launch
from arp_daemon.overrides import check_overrides
from arp_model import InstanceCreateRequestOverrides, InstanceState
from arp_service.errors import InvalidRequestError, ServiceError
from arp_service.ids import new_id

if TYPE_CHECKING:
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

        async def start_one(instance: Instance) -> None:
            try:
                await self.start(instance, profile)
            except ServiceError as exc:
                failures.append(exc)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for instance in created:
                tasks.start_soon(start_one, instance)
        if failures:
            await self._instances.discard_all([i for i in created if i.lifecycle is InstanceState.READY])
            raise failures[0]
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
            if instance.lifecycle is not InstanceState.STARTING or instance.exited is not None:
                raise InstanceStartError("The instance ended while it started.")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._instances.discard(instance)
            raise
        self._instances.ready(instance)


def _overrides(instance: Instance) -> InstanceCreateRequestOverrides | UnsetType:
    given = instance.facts.overrides
    return UNSET if given is None else InstanceCreateRequestOverrides.from_dict(given)


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
