"""Letting an instance finish what it has, and then stopping it. Owns the tasks that wait for that."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from arp_daemon.instance import Instance
    from arp_daemon.instances import InstanceManager
    from arp_daemon.store import Store


class Drains:
    """Asked by the route that drains, and at start for what an earlier daemon was draining.

    The wish to drain is on the disk before it is answered: after a daemon's death the instance is still on its way
    out, and is given no runs.
    """

    def __init__(self, instances: InstanceManager, store: Store, tasks: TaskGroup) -> None:
        self._instances = instances
        self._store = store
        self._tasks = tasks

    async def begin(self, instance: Instance, grace_s: float | None) -> None:
        """Drain from now on, for `grace_s` at most, or as long as its runs take (None).

        Of several wishes the one that ends first counts.
        """
        facts = instance.facts
        if grace_s is not None:
            until = time.time() + grace_s
            facts.leave_by = until if facts.leave_by is None else min(until, facts.leave_by)
        instance.leave()
        await self._store.put_instance(instance.record())
        self._tasks.start_soon(self._instances.drain, instance, grace_s)

    def resume(self, instance: Instance) -> None:
        """Go on with what an earlier daemon began."""
        instance.leave()
        left = None if instance.facts.leave_by is None else max(instance.facts.leave_by - time.time(), 0.0)
        self._tasks.start_soon(self._instances.drain, instance, left)
