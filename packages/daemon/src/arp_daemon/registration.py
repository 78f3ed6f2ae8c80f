"""Runtimes that somebody else runs: taken in after a look at them, and never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from arp_daemon.errors import RuntimeProbeError
from arp_daemon.instance import Instance, InstanceFacts, metadata_dict
from arp_daemon.probe import check_endpoint, probe
from arp_daemon.selector import normal_endpoint
from arp_model import InstanceState
from arp_service.ids import new_id

if TYPE_CHECKING:
    from arp_daemon.instances import InstanceManager
    from arp_daemon.store import Store
    from arp_model import InstanceRegisterRequest


class Registrar:
    """Asked by the route to `register`, and at start to look whether a registered runtime is still there."""

    def __init__(self, instances: InstanceManager, store: Store) -> None:
        self._instances = instances
        self._store = store

    async def register(self, request: InstanceRegisterRequest) -> Instance:
        """Take in a runtime that somebody else runs, after a look at it.

        Raises:
            EndpointNotAllowedError: the operator does not allow this endpoint.
            RuntimeProbeError: no healthy ARP runtime answers there.
        """
        endpoint = normal_endpoint(request.runtime_api_endpoint)
        check_endpoint(endpoint)
        for known in self._instances.all():
            if known.endpoint == endpoint and known.lifecycle is InstanceState.READY:
                return known
        version = await probe(endpoint)
        for known in self._instances.all():
            if known.endpoint == endpoint:
                self._instances.clear_error(known)
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
        self._instances.add(instance)
        self._instances.ready(instance)
        return instance

    async def find_again(self, instance: Instance) -> None:
        """An earlier daemon knew it: use it where it answers, show why where it does not."""
        try:
            instance.learn(await probe(instance.endpoint))
        except RuntimeProbeError as exc:
            self._instances.show_error(instance, exc.message)
        else:
            self._instances.ready(instance)
