"""Which instances there are. Owns their state: every change of it is made here.

Managed instances are processes of the launcher; registered ones are somebody else's, and never touched. Who makes
instances is beside it: `creation` launches them, `registration` takes them in, `attachment` finds them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from arp_daemon.errors import InstanceNotFoundError
from arp_model import InstanceState
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from arp_daemon.instance import Instance
    from arp_daemon.starter import Starter
    from arp_daemon.store import Store

_log = structlog.get_logger(__name__)

_LIVE = frozenset({InstanceState.STARTING, InstanceState.READY})


class InstanceManager:
    """`on_ready` and `on_gone` tell who sends runs, `on_exit` who keeps the pool."""

    def __init__(self, store: Store, starter: Starter) -> None:
        self._store = store
        self._starter = starter
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
        instance = self.find(instance_id)
        if instance is None:
            raise InstanceNotFoundError(instance_id)
        return instance

    def find(self, instance_id: str) -> Instance | None:
        """Return the instance, or None."""
        return self._instances.get(instance_id)

    def of_profile(self, name: str | None) -> list[Instance]:
        """The managed instances of a profile that live or start, and stay."""
        return [i for i in self._managed_of(name) if i.lifecycle in _LIVE and not i.leaving]

    def leaving_of(self, name: str | None) -> list[Instance]:
        """The managed instances of a profile that are on their way out; their processes still live."""
        return [i for i in self._managed_of(name) if i.lifecycle is InstanceState.STOPPING or i.leaving]

    def falling_of(self, name: str | None) -> list[Instance]:
        """Those that failed and are being cleared away: what becomes of them is not accounted for yet."""
        return [i for i in self._managed_of(name) if i.lifecycle is InstanceState.STOPPING and not i.leaving]

    def _managed_of(self, name: str | None) -> list[Instance]:
        return [i for i in self._instances.values() if i.facts.managed and i.runtime_profile == name]

    def has(self, instance: Instance) -> bool:
        """Whether the instance is still there."""
        return self._instances.get(instance.instance_id) is instance

    # -- changes ---------------------------------------------------------------------------------------------

    def add(self, instance: Instance) -> None:
        """From now on there is this one; it takes runs when it is `ready`."""
        self._instances[instance.instance_id] = instance

    def ready(self, instance: Instance) -> None:
        """It is healthy, and takes runs."""
        instance.lifecycle = InstanceState.READY
        instance.changed.notify()
        instance.ready_since = instance.idle_since = anyio.current_time()
        _log.info("instance_ready", instance_id=instance.instance_id, endpoint=instance.endpoint)
        self.on_ready(instance)

    async def drop(self, instance: Instance, reason: str, *, by_itself: bool = True) -> None:
        """An instance is of no use any more, by no wish of anybody: end what is left of it, at once.

        A registered one is not ours to end: it stays in the list, and may come back. One that did not end by itself
        is not held against its profile.
        """
        if instance.lifecycle is not InstanceState.READY:
            return
        if instance.exited is not None:
            instance.last_words = instance.exited.stderr_tail
        tail = instance.last_words
        _log.warning("instance_dropped", instance_id=instance.instance_id, reason=reason, stderr_tail=tail)
        if instance.facts.managed:
            await self.discard(instance, grace_s=0.0)
            if by_itself:
                self.on_exit(instance, reason)
        else:
            self.show_error(instance, reason)
            self.on_gone(instance)

    async def kill(self, instance: Instance, reason: str) -> None:
        """End a managed instance at once; it is not held against its profile."""
        if instance.lifecycle is InstanceState.READY:
            _log.warning("instance_killed", instance_id=instance.instance_id, reason=reason)
            await self.discard(instance, grace_s=0.0)

    def revive(self, instance: Instance) -> None:
        """A registered instance answers again."""
        if instance.lifecycle is InstanceState.ERROR:
            instance.error = None
            self.ready(instance)

    def show_error(self, instance: Instance, reason: str) -> None:
        """Leave an instance that ended in the list, as the reason why its profile starts nothing any more."""
        instance.lifecycle = InstanceState.ERROR
        instance.error = reason
        self.add(instance)

    def clear_errors(self, name: str) -> None:
        """Somebody changed something: what was wrong with a profile is forgotten."""
        for instance in self.all():
            if instance.facts.managed and instance.runtime_profile == name:
                self.clear_error(instance)

    def clear_error(self, instance: Instance) -> None:
        """Take an instance that shows an error from the list."""
        if instance.lifecycle is InstanceState.ERROR:
            del self._instances[instance.instance_id]

    async def drain(self, instance: Instance, grace_s: float | None) -> None:
        """Give it no more runs, and stop it when those that it has have ended; a registered one is let go of.

        Its runs get `grace_s` at most; None: as long as they take. One that starts is stopped at once. Returns when
        it is gone, whoever made it go.
        """
        instance.leave()
        if instance.lifecycle is InstanceState.STARTING:  # who starts it sees that, and discards it
            instance.lifecycle = InstanceState.STOPPING
            instance.changed.notify()
        with anyio.move_on_after(grace_s):
            while self.has(instance) and (instance.load or instance.lifecycle is InstanceState.STOPPING):
                await instance.changed.wait()
        if self.has(instance):
            await self.discard(instance)

    async def stop_managed(self) -> None:
        """Stop all managed instances at once. Called when the daemon stops."""
        await self.discard_all([i for i in self._instances.values() if i.facts.managed])

    async def end_managed(self) -> None:
        """End the processes of all managed instances now; a stop that gave them a grace ends with them."""
        async with anyio.create_task_group() as tasks:
            for instance in self.all():
                if instance.facts.managed:
                    tasks.start_soon(self._starter.stop, instance, 0.0)

    async def discard(self, instance: Instance, grace_s: float | None = None) -> None:
        """Whatever state it is in: no process and no record of it is left. `grace_s` None: as its profile says.

        It is gone at the very end, and who awaits this goes on before anybody else sees that: an end is accounted for
        before it is made up for.
        """
        instance.lifecycle = InstanceState.STOPPING
        if instance.facts.managed:
            await self._starter.stop(instance, grace_s)
        try:
            await self._store.delete_instance(instance.instance_id)
        except StoreUnavailableError as exc:  # the next start finds the record, and no process to it
            _log.warning("instance_record_stays", instance_id=instance.instance_id, error=exc.message)
        instance.lifecycle = InstanceState.STOPPED
        self._instances.pop(instance.instance_id, None)
        instance.changed.notify()
        self.on_gone(instance)

    async def discard_all(self, instances: list[Instance]) -> None:
        """Discard some in parallel."""
        async with anyio.create_task_group() as tasks:
            for instance in instances:
                tasks.start_soon(self.discard, instance)
