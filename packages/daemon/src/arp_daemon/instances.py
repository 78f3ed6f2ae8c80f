"""The pool: starts, registers, re-attaches and stops instances. Owns their state.

Managed instances are processes of the launcher; registered ones are somebody else's, and never touched.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import anyio
import structlog
from msgspec import UNSET, json, structs

from arp_daemon.errors import (
    InstanceNotFoundError,
    InstanceStartError,
    ProfileNotLaunchableError,
    RuntimeProbeError,
)
from arp_daemon.exec_spec import find_exec
from arp_daemon.instance import Instance, InstanceFacts, metadata_dict
from arp_daemon.launch_plan import plan_launch
from arp_daemon.overrides import check_overrides
from arp_daemon.probe import check_endpoint, probe
from arp_daemon.selector import normal_endpoint
from arp_daemon.starter import Starter, how_it_ended
from arp_model import InstanceState
from arp_service.errors import InvalidRequestError, ServiceError
from arp_service.ids import new_id
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import UnsetType

    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.launcher import Launched, LauncherClient
    from arp_daemon.preparation import Preparation
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.store import Store
    from arp_model import (
        InstanceCreateRequest,
        InstanceCreateRequestOverrides,
        InstanceRegisterRequest,
        RuntimeProfile,
    )

_log = structlog.get_logger(__name__)

_LIVE = frozenset({InstanceState.STARTING, InstanceState.READY})


class InstanceManager:
    """Which instances there are. `on_ready` and `on_gone` tell who sends runs, `on_exit` who keeps the pool."""

    def __init__(self, store: Store, profiles: ProfileManager, preparation: Preparation) -> None:
        self._store = store
        self._profiles = profiles
        self._preparation = preparation
        self._starter = Starter(store, preparation.redactor)
        self._instances: dict[str, Instance] = {}
        self.on_ready: Callable[[Instance], None] = lambda _instance: None
        self.on_gone: Callable[[Instance], None] = lambda _instance: None
        self.on_exit: Callable[[Instance, str], None] = lambda _instance, _reason: None

    # -- what there is ---------------------------------------------------------------------------------------

    def all(self) -> list[Instance]:
        """All instances, oldest first."""
        return list(self._instances.values())

    def get(self, instance_id: str) -> Instance:
        """Return the instance.

        Raises:
            InstanceNotFoundError: there is none with this id.
        """
        instance = self._instances.get(instance_id)
        if instance is None:
            raise InstanceNotFoundError(instance_id)
        return instance

    def of_profile(self, name: str | None) -> list[Instance]:
        """The managed instances of a profile that live or start."""
        return [
            i
            for i in self._instances.values()
            if i.facts.managed and i.runtime_profile == name and i.lifecycle in _LIVE
        ]

    def obstacle(self, details: AnyExec) -> InstanceStartError | None:
        """Why nothing can be launched from a profile now, or None."""
        return self._preparation.obstacle(details)

    # -- changes ---------------------------------------------------------------------------------------------

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
        check_count(profile, count, len(self.of_profile(profile.runtime_profile)))
        created = [self.reserve(profile, metadata_dict(request.metadata)) for _ in range(count)]
        failures: list[ServiceError] = []

        async def start_one(instance: Instance) -> None:
            try:
                await self.start(instance, profile, request.overrides)
            except ServiceError as exc:
                failures.append(exc)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for instance in created:
                tasks.start_soon(start_one, instance)
        if failures:
            await self._stop_all([i for i in created if i.lifecycle is InstanceState.READY])
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
            endpoint="http://127.0.0.1:0",
            managed=True,
            runtime_profile=profile.runtime_profile,
            profile_version=self._profiles.version(profile.runtime_profile),
            runtime_name=None if profile.runtime_name is UNSET else profile.runtime_name,
            concurrency=details.concurrency,
            stop_grace_s=details.stop_grace_s,
            nonce=secrets.token_hex(16),
            metadata=metadata,
        )
        instance = self._instances[facts.instance_id] = Instance(facts, InstanceState.STARTING)
        return instance

    async def start(
        self,
        instance: Instance,
        profile: RuntimeProfile,
        overrides: InstanceCreateRequestOverrides | UnsetType = UNSET,
    ) -> None:
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
                overrides,
                surroundings,
                instance_id=instance.instance_id,
                nonce=str(instance.facts.nonce),
            )
            await self._starter.launch(instance, plan)
            if instance.lifecycle is not InstanceState.STARTING or instance.exited is not None:
                raise InstanceStartError("The instance ended while it started.")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(instance)
            raise
        self._ready(instance)

    async def register(self, request: InstanceRegisterRequest) -> Instance:
        """Take in a runtime that somebody else runs, after a look at it.

        Raises:
            EndpointNotAllowedError: the operator does not allow this endpoint.
            RuntimeProbeError: no healthy ARP runtime answers there.
        """
        endpoint = normal_endpoint(request.runtime_api_endpoint)
        check_endpoint(endpoint)
        for known in self.all():
            if known.endpoint == endpoint and known.lifecycle is InstanceState.READY:
                return known
        version = await probe(endpoint)
        for known in self.all():
            if known.endpoint == endpoint and known.lifecycle is InstanceState.ERROR:
                del self._instances[known.instance_id]
        facts = InstanceFacts(
            instance_id=new_id("inst"),
            endpoint=endpoint,
            managed=False,
            runtime_profile=None if request.runtime_profile is UNSET else request.runtime_profile,
            runtime_name=None if request.runtime_name is UNSET else request.runtime_name,
            metadata=metadata_dict(request.metadata),
        )
        instance = Instance(facts, InstanceState.STARTING)
        instance.learn(version)
        await self._store.put_instance(instance.record())
        self._instances[instance.instance_id] = instance
        self._ready(instance)
        return instance

    async def delete(self, instance_id: str) -> None:
        """Stop a managed instance, once its runs have ended or its grace is over; let go of a registered one.

        Raises:
            InstanceNotFoundError: there is none with this id.
        """
        instance = self.get(instance_id)
        starting = instance.lifecycle is InstanceState.STARTING
        instance.lifecycle = InstanceState.STOPPING
        instance.changed.notify()
        with anyio.move_on_after(instance.facts.stop_grace_s):
            while instance.assigned or (starting and instance_id in self._instances):
                await instance.changed.wait()
        await self._stop(instance)

    async def stop_managed(self) -> None:
        """Stop all managed instances at once. Called when the daemon stops."""
        await self._stop_all([i for i in self._instances.values() if i.facts.managed])

    # -- what the launcher says ------------------------------------------------------------------------------

    async def attach(self) -> None:
        """Find the instances of an earlier daemon again; what is not there any more is forgotten.

        A managed one is the same where process id, start time and boot are; how it fares is watched from then on.
        """
        alive = await self._starter.list_alive()
        async with anyio.create_task_group() as tasks:
            for record in await self._store.list_instances():
                facts = json.decode(record.body, type=InstanceFacts)
                instance = Instance(facts, InstanceState.STARTING)
                instance.cursor = record.cursor
                self._instances[facts.instance_id] = instance
                tasks.start_soon(self._attach_one, instance, alive.get(facts.instance_id))
        await self.sweep()

    async def sweep(self) -> None:
        """Stop what the launcher has and nobody here knows: an earlier daemon, or connection, ended before it could."""
        for instance_id in await self._starter.list_alive():
            if instance_id not in self._instances:
                _log.warning("stray_instance_stopped", instance_id=instance_id)
                await self._starter.stop_stray(instance_id)

    async def follow_launcher(self, launcher: LauncherClient) -> None:
        """Drop instances whose process has ended. Ends when the launcher is gone, and with it all it started."""
        async for exited in launcher.exits():
            instance = self._instances.get(exited.instance_id)
            if instance is None:
                continue
            tail = self._preparation.redactor.text(exited.stderr_tail)
            instance.exited = structs.replace(exited, stderr_tail=tail)
            instance.changed.notify()
            if instance.lifecycle is InstanceState.READY:
                await self.drop(instance, how_it_ended(exited))
        for instance in self.all():
            if instance.facts.managed and instance.lifecycle is InstanceState.READY:
                await self.drop(instance, "died with the launcher")

    async def drop(self, instance: Instance, reason: str) -> None:
        """An instance is of no use any more, by no wish of anybody: end what is left of it.

        A registered one is not ours to end: it stays in the list, and may come back.
        """
        if instance.lifecycle is not InstanceState.READY:
            return
        tail = "" if instance.exited is None else instance.exited.stderr_tail
        _log.warning("instance_dropped", instance_id=instance.instance_id, reason=reason, stderr_tail=tail)
        if instance.facts.managed:
            await self._discard(instance)
            self.on_exit(instance, reason)
        else:
            self.show_error(instance, reason)
            self.on_gone(instance)

    def revive(self, instance: Instance) -> None:
        """A registered instance answers again."""
        if instance.lifecycle is InstanceState.ERROR:
            instance.error = None
            self._ready(instance)

    def show_error(self, instance: Instance, reason: str) -> None:
        """Leave an instance that ended in the list, as the reason why its profile starts nothing any more."""
        instance.lifecycle = InstanceState.ERROR
        instance.error = reason
        self._instances[instance.instance_id] = instance

    def clear_errors(self, name: str) -> None:
        """Somebody changed something: what was wrong with a profile is forgotten."""
        for instance in self.all():
            if instance.runtime_profile == name and instance.lifecycle is InstanceState.ERROR:
                del self._instances[instance.instance_id]

    def use_launcher(self, launcher: LauncherClient | None) -> None:
        """Start and stop instances by this launcher from now on; None while there is none."""
        self._starter.use(launcher)

    @property
    def has_launcher(self) -> bool:
        """Whether instances can be started now."""
        return self._starter.has_launcher

    # ---------------------------------------------------------------------------------------------------------

    async def _attach_one(self, instance: Instance, launched: Launched | None) -> None:
        facts = instance.facts
        if not facts.managed:
            await self._attach_registered(instance)
        elif launched is not None and facts.identity == launched.identity:
            self._ready(instance)
        else:
            await self._discard(instance)

    async def _attach_registered(self, instance: Instance) -> None:
        try:
            instance.learn(await probe(instance.endpoint))
        except RuntimeProbeError as exc:
            self.show_error(instance, exc.message)
        else:
            self._ready(instance)

    def _ready(self, instance: Instance) -> None:
        instance.lifecycle = InstanceState.READY
        instance.ready_since = instance.idle_since = anyio.current_time()
        _log.info("instance_ready", instance_id=instance.instance_id, endpoint=instance.endpoint)
        self.on_ready(instance)

    async def _stop(self, instance: Instance) -> None:
        instance.lifecycle = InstanceState.STOPPING
        await self._discard(instance)

    async def _stop_all(self, instances: list[Instance]) -> None:
        async with anyio.create_task_group() as tasks:
            for instance in instances:
                tasks.start_soon(self._stop, instance)

    async def _discard(self, instance: Instance) -> None:
        """Whatever state it is in: no process and no record of it is left."""
        instance.lifecycle = InstanceState.STOPPED
        if instance.facts.managed:
            await self._starter.stop(instance)
        self._instances.pop(instance.instance_id, None)
        try:
            await self._store.delete_instance(instance.instance_id)
        except StoreUnavailableError as exc:  # the next start finds the record, and no process to it
            _log.warning("instance_record_stays", instance_id=instance.instance_id, error=exc.message)
        instance.changed.notify()
        self.on_gone(instance)


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
