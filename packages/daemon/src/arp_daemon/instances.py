"""The pool: starts, registers, re-attaches and stops instances. Owns their state.

Managed instances are processes of the launcher; registered ones are somebody else's, and never touched.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import anyio
import structlog
from msgspec import UNSET, json, to_builtins

from arp_daemon.errors import (
    InstanceNotFoundError,
    InstanceStartError,
    InvalidSelectorError,
    NoMatchingInstanceError,
    ProfileNotFoundError,
    RuntimeProbeError,
)
from arp_daemon.exec_spec import find_exec
from arp_daemon.instance import Instance, InstanceFacts, metadata_dict
from arp_daemon.launch_plan import check_overrides, plan_launch
from arp_daemon.probe import check_endpoint, check_nonce, probe
from arp_daemon.selector import normal_endpoint
from arp_daemon.starter import Starter
from arp_model import InstanceState
from arp_service.errors import InvalidRequestError
from arp_service.ids import new_id
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import UnsetType

    from arp_daemon.launcher import Launched, LauncherClient
    from arp_daemon.profiles import ProfileManager
    from arp_daemon.selector import Selector
    from arp_daemon.store import Store
    from arp_model import (
        InstanceCreateRequest,
        InstanceCreateRequestOverrides,
        InstanceRegisterRequest,
        RuntimeProfile,
    )

_log = structlog.get_logger(__name__)


class InstanceManager:
    """Which instances there are. `on_ready` and `on_gone` tell the dispatcher."""

    def __init__(self, store: Store, profiles: ProfileManager) -> None:
        self._store = store
        self._profiles = profiles
        self._starter = Starter(store)
        self._instances: dict[str, Instance] = {}
        self.on_ready: Callable[[Instance], None] = lambda _instance: None
        self.on_gone: Callable[[Instance], None] = lambda _instance: None

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
        """The managed instances of a profile."""
        return [i for i in self._instances.values() if i.facts.managed and i.runtime_profile == name]

    def check_selector(self, selector: Selector) -> None:
        """Refuse a selector that nothing there is, and nothing that could be started, fits.

        Raises:
            InvalidSelectorError: its parts contradict each other.
            ProfileNotFoundError, InstanceNotFoundError, NoMatchingInstanceError: it matches nothing.
        """
        if any(selector.admits(instance) for instance in self._instances.values()):
            return
        if selector.instance_id is not None:
            self.get(selector.instance_id)
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
        if profile is None or find_exec(profile.extensions) is None:
            return None
        if selector.runtime_name is not None and profile.runtime_name != selector.runtime_name:
            return None
        return profile

    # -- changes ---------------------------------------------------------------------------------------------

    async def create(self, request: InstanceCreateRequest) -> list[Instance]:
        """Start `count` instances in parallel, all or none.

        Raises:
            ProfileNotFoundError, ProfileNotLaunchableError: nothing can be launched.
            InstanceStartError: one did not start; the others were stopped.
        """
        profile = self._profiles.get(request.runtime_profile)
        check_overrides(request.overrides)
        count = 1 if request.count is UNSET else request.count
        check_count(profile, count, len(self.of_profile(profile.runtime_profile)))
        metadata = metadata_dict(request.metadata)
        started: list[Instance] = []
        failures: list[InstanceStartError] = []

        async def start_one() -> None:
            try:
                started.append(await self.start(profile, request.overrides, metadata))
            except InstanceStartError as exc:
                failures.append(exc)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(start_one)
        if failures:
            await self._stop_all(started)
            raise failures[0]
        return started

    async def start(
        self,
        profile: RuntimeProfile,
        overrides: InstanceCreateRequestOverrides | UnsetType = UNSET,
        metadata: dict[str, object] | None = None,
    ) -> Instance:
        """Launch one instance and wait until it is healthy; nothing is left of one that is not.

        Raises:
            ProfileNotLaunchableError: the profile does not say how.
            InstanceStartError: with the tail of its stderr.
        """
        instance_id, nonce = new_id("inst"), secrets.token_hex(16)
        plan = plan_launch(profile, overrides, instance_id=instance_id, nonce=nonce, environment=os.environ)
        facts = InstanceFacts(
            instance_id=instance_id,
            endpoint="http://127.0.0.1:0",
            managed=True,
            runtime_profile=profile.runtime_profile,
            profile_version=self._profiles.version(profile.runtime_profile),
            runtime_name=None if profile.runtime_name is UNSET else profile.runtime_name,
            concurrency=plan.exec.concurrency,
            stop_grace_s=plan.exec.stop_grace_s,
            nonce=nonce,
            metadata=metadata,
        )
        instance = self._instances[instance_id] = Instance(facts, InstanceState.STARTING)
        try:
            await self._starter.launch(instance, plan)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._discard(instance)
            raise
        self._ready(instance)
        return instance

    async def register(self, request: InstanceRegisterRequest) -> Instance:
        """Take in a runtime that somebody else runs, after a look at it.

        Raises:
            EndpointNotAllowedError: the operator does not allow this endpoint.
            RuntimeProbeError: no healthy ARP runtime answers there.
        """
        endpoint = normal_endpoint(request.runtime_api_endpoint)
        check_endpoint(endpoint)
        for known in self._instances.values():
            if known.endpoint == endpoint:
                return known
        version = await probe(endpoint)
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
        instance.lifecycle = InstanceState.STOPPING
        with anyio.move_on_after(instance.facts.stop_grace_s):
            while instance.assigned:
                await instance.changed.wait()
        await self._stop(instance)

    async def stop_managed(self) -> None:
        """Stop all managed instances at once. Called when the daemon stops."""
        await self._stop_all([i for i in self._instances.values() if i.facts.managed])

    # -- what the launcher says ------------------------------------------------------------------------------

    async def attach(self) -> None:
        """Find the instances of an earlier daemon again; what is not there any more is forgotten."""
        records = await self._starter.launcher.list()
        alive = {r.launched.instance_id: r.launched for r in records if r.exited is None}
        async with anyio.create_task_group() as tasks:
            for record in await self._store.list_instances():
                facts = json.decode(record.body, type=InstanceFacts)
                instance = Instance(facts, InstanceState.STARTING)
                instance.cursor = record.cursor
                self._instances[facts.instance_id] = instance
                tasks.start_soon(self._attach_one, instance, alive.get(facts.instance_id))

    async def follow_launcher(self, launcher: LauncherClient) -> None:
        """Drop instances whose process has ended. Ends when the launcher is gone, and with it all it started."""
        async for exited in launcher.exits():
            instance = self._instances.get(exited.instance_id)
            if instance is None:
                continue
            instance.exited = exited
            instance.changed.notify()
            if instance.lifecycle is InstanceState.READY:
                _log.warning("instance_exited", **to_builtins(exited))
                await self._discard(instance)
        for instance in self.all():
            if instance.facts.managed and instance.lifecycle is InstanceState.READY:
                await self._discard(instance)

    def use_launcher(self, launcher: LauncherClient) -> None:
        """Start and stop instances by this launcher from now on."""
        self._starter.launcher = launcher

    # ---------------------------------------------------------------------------------------------------------

    async def _attach_one(self, instance: Instance, launched: Launched | None) -> None:
        facts = instance.facts
        identity = (facts.pid, facts.start_time, facts.boot_id)
        if facts.managed and (launched is None or identity != (launched.pid, launched.start_time, launched.boot_id)):
            await self._discard(instance)
            return
        try:
            version = await probe(facts.endpoint)
            check_nonce(version, facts.nonce, facts.endpoint)
        except RuntimeProbeError as exc:
            _log.warning("instance_lost", instance_id=facts.instance_id, reason=exc.message)
            await self._discard(instance)
            return
        instance.learn(version)
        self._ready(instance)

    def _ready(self, instance: Instance) -> None:
        instance.lifecycle = InstanceState.READY
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
