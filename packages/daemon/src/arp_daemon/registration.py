"""Runtimes that somebody else runs: taken in after a look at them, and never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog
from msgspec import UNSET

from arp_daemon.endpoint import read_endpoint
from arp_daemon.errors import EndpointNotAllowedError, RuntimeProbeError
from arp_daemon.instance import Instance, InstanceFacts, metadata_dict
from arp_daemon.lookup import check_pinned, locate
from arp_daemon.probe import probe
from arp_model import InstanceState
from arp_service.door import is_loopback_host
from arp_service.ids import new_id

if TYPE_CHECKING:
    from arp_daemon.address import Address
    from arp_daemon.allowed_endpoints import AllowedEndpoints
    from arp_daemon.instances import InstanceManager
    from arp_daemon.lookup import Resolve
    from arp_daemon.store import Store
    from arp_model import InstanceRegisterRequest, VersionInfo

_log = structlog.get_logger(__name__)

# At start, nobody is waited for longer: the runs of who does not answer are lost within 5 s, and new ones are served.
_FIND_TIMEOUT_S = 2.0

_PLACE = "$.runtime_api_endpoint"


class Registrar:
    """Asked by the route to `register`, and at start to look whether a registered runtime is still there."""

    def __init__(self, instances: InstanceManager, store: Store, allowed: AllowedEndpoints, resolve: Resolve) -> None:
        self._instances = instances
        self._store = store
        self._allowed = allowed
        self._resolve = resolve
        self._adding = anyio.Lock()

    async def register(self, request: InstanceRegisterRequest, own_port: int | None) -> Instance:
        """Take in a runtime that somebody else runs, after a look at it. `own_port` is the daemon's, on loopback.

        Raises:
            EndpointNotAllowedError: the operator does not allow this endpoint.
            RuntimeProbeError: no healthy ARP runtime answers there.
        """
        endpoint = read_endpoint(request.runtime_api_endpoint, _PLACE)
        addresses = await locate(endpoint, self._allowed, self._resolve)
        if endpoint.port == own_port and any(_leads_to_this_machine(address) for address in addresses):
            raise RuntimeProbeError(f"{_PLACE}: that is this daemon; register a runtime with it.")
        if known := self._find(endpoint.url, InstanceState.READY):
            return known
        address, version = await _probe_first(addresses)
        facts = InstanceFacts(
            instance_id=new_id("inst"),
            address=address,
            managed=False,
            runtime_profile=None if request.runtime_profile is UNSET else request.runtime_profile,
            runtime_name=None if request.runtime_name is UNSET else request.runtime_name,
            metadata=metadata_dict(request.metadata),
        )
        instance = Instance(facts, InstanceState.STARTING)
        instance.learn(version)
        async with self._adding:
            if known := self._find(endpoint.url, InstanceState.READY):  # another request was faster
                return known
            await self._store.put_instance(instance.record())
            if lost := self._find(endpoint.url, InstanceState.ERROR):
                await self._instances.discard(lost)
            self._instances.add(instance)
        self._instances.ready(instance)
        return instance

    async def find_again(self, instance: Instance) -> None:
        """An earlier daemon knew it: use it where it answers, show why where it does not.

        One that the operator no longer allows is let go of.
        """
        try:
            check_pinned(instance.address, self._allowed)
            instance.learn(await probe(instance.address, _FIND_TIMEOUT_S))
        except EndpointNotAllowedError as exc:
            _log.warning("registered_instance_let_go", instance_id=instance.instance_id, reason=exc.message)
            await self._instances.discard(instance)
        except RuntimeProbeError as exc:
            self._instances.show_error(instance, exc.message)
        else:
            self._instances.ready(instance)

    def _find(self, endpoint: str, state: InstanceState) -> Instance | None:
        known = (i for i in self._instances.all() if not i.facts.managed and i.lifecycle is state)
        return next((i for i in known if i.endpoint == endpoint), None)


async def _probe_first(addresses: list[Address]) -> tuple[Address, VersionInfo]:
    """The first address where a healthy runtime answers.

    Raises:
        RuntimeProbeError: there is none; why not at the first.
    """
    failures: list[RuntimeProbeError] = []
    for address in addresses:
        try:
            return address, await probe(address)
        except RuntimeProbeError as exc:
            failures.append(exc)
    raise failures[0]


def _leads_to_this_machine(address: Address) -> bool:
    return is_loopback_host(address.ip or "")
