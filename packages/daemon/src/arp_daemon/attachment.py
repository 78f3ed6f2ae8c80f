"""The instances and the launcher: found again after a daemon's death, followed to their end, strays stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog
from msgspec import json, structs

from arp_daemon.instance import Instance, InstanceFacts
from arp_daemon.starter import how_it_ended
from arp_model import InstanceState

if TYPE_CHECKING:
    from arp_daemon.draining import Drains
    from arp_daemon.instances import InstanceManager
    from arp_daemon.launcher import Launched, LauncherClient
    from arp_daemon.redaction import Redactor
    from arp_daemon.registration import Registrar
    from arp_daemon.starter import Starter
    from arp_daemon.store import Store

_log = structlog.get_logger(__name__)


class Attachment:
    """Used by the one task that holds on to the launcher."""

    def __init__(
        self,
        instances: InstanceManager,
        drains: Drains,
        registrar: Registrar,
        starter: Starter,
        store: Store,
        redactor: Redactor,
    ) -> None:
        self._instances = instances
        self._drains = drains
        self._registrar = registrar
        self._starter = starter
        self._store = store
        self._redactor = redactor

    async def attach(self) -> None:
        """Find the instances of an earlier daemon again; what is not there any more is forgotten.

        A managed one is the same where process id, start time and boot are; how it fares is watched from then on. One
        that was only starting has never shown that it is what it should be, and is stopped.
        """
        alive = await self._starter.list_alive()
        async with anyio.create_task_group() as tasks:
            for record in await self._store.list_instances():
                facts = json.decode(record.body, type=InstanceFacts)
                instance = Instance(facts, InstanceState.STARTING)
                instance.cursor = record.cursor
                self._instances.add(instance)
                tasks.start_soon(self._attach_one, instance, alive.get(facts.instance_id))
        await self.sweep()

    async def sweep(self) -> None:
        """Stop what the launcher has and nobody here knows: an earlier daemon, or connection, ended before it could."""
        for instance_id in await self._starter.list_alive():
            if self._instances.find(instance_id) is None:
                _log.warning("stray_instance_stopped", instance_id=instance_id)
                await self._starter.stop_stray(instance_id)

    async def follow_launcher(self, launcher: LauncherClient) -> None:
        """Drop instances whose process has ended. Ends when the launcher is gone."""
        async with anyio.create_task_group() as tasks:
            async for exited in launcher.exits():
                instance = self._instances.find(exited.instance_id)
                if instance is None:
                    continue
                tail = self._redactor.text(exited.stderr_tail)
                instance.exited = structs.replace(exited, stderr_tail=tail)
                instance.changed.notify()
                if instance.lifecycle is InstanceState.READY:
                    # What takes long to clear away delays no news of the next one.
                    tasks.start_soon(self._instances.drop, instance, how_it_ended(exited))

    async def drop_all(self) -> None:
        """The launcher is gone, and with it all that it started. What was just starting is started again."""
        for instance in self._instances.all():
            if instance.facts.managed and instance.lifecycle is InstanceState.READY:
                await self._instances.drop(instance, "died with the launcher", by_itself=False)

    async def _attach_one(self, instance: Instance, launched: Launched | None) -> None:
        facts = instance.facts
        if not facts.managed:
            await self._registrar.find_again(instance)
        elif launched is not None and facts.identity == launched.identity and facts.was_ready:
            self._instances.ready(instance)
        else:
            await self._instances.discard(instance)
        if instance.leaving and self._instances.has(instance):
            self._drains.resume(instance)
