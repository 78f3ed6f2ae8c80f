"""Watching ready instances: one watch each, however they come and go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import anyio

import arp_daemon.pool
from arp_daemon.address import Address
from arp_daemon.instance import Instance, InstanceFacts
from arp_daemon.pool import PoolKeeper
from arp_daemon.probe import Condition
from arp_model import InstanceState
from daemon.simulation.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    import pytest


class _ComesBack:
    """Instances that answer again as soon as they have been dropped, before anybody else looks."""

    async def drop(self, instance: Instance, _reason: str) -> None:
        instance.lifecycle = InstanceState.READY


def test_the_watch_of_an_instance_that_is_dropped_ends_though_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes it up again has it watched: it is not looked at twice as often from then on."""

    async def look_at(_address: Address, _timeout_s: float) -> Condition:
        return Condition.SILENT

    async def watch() -> None:
        facts = InstanceFacts(instance_id="i1", address=Address("http://127.0.0.1:1"), managed=False)
        nobody = cast("Any", None)
        pool = PoolKeeper(nobody, cast("Any", _ComesBack()), nobody, nobody, nobody, nobody, nobody)
        with anyio.fail_after(60):
            await pool.watch(Instance(facts, InstanceState.READY))

    monkeypatch.setattr(arp_daemon.pool, "look_at", look_at)
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(watch())
