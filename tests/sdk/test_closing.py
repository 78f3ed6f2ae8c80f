"""Clients leave no connection behind, whether they are closed or not; and no run is canceled by that."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio
import httpx
import psutil
import pytest
from anyio.lowlevel import checkpoint

from arp_sdk import AsyncDaemonClient, AsyncRuntimeClient, DaemonClient, RuntimeClient

if TYPE_CHECKING:
    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
STATUS = {"run_id": "r1", "state": "queued"}
CLIENTS = 20
# How long the loop may take to close them, in seconds.
_CLOSED_WITHIN = 5


def connections_to(service: Service) -> int:
    """How many connections this process has to the service; the service's own ends of them are not counted."""
    port = int(service.url.rpartition(":")[2])
    found = psutil.Process().net_connections("tcp")
    return len([item for item in found if item.status != "LISTEN" and item.raddr.port == port])


def test_blocking_clients_that_nobody_closes_leave_nothing(service: Service) -> None:
    """When a client is gone, so are its connections; warnings are errors here."""
    service.answer("GET", "/v1/health", HEALTH)
    clients = [DaemonClient(service.url) for _ in range(CLIENTS)]
    for client in clients:
        client.health()
    assert connections_to(service) == CLIENTS
    del client, clients
    gc.collect()
    assert connections_to(service) == 0


async def test_async_clients_that_nobody_closes_leave_nothing(service: Service) -> None:
    """The event loop holds their sockets; it is asked to close them."""
    service.answer("GET", "/v1/health", HEALTH)
    clients = [AsyncDaemonClient(service.url) for _ in range(CLIENTS)]
    for client in clients:
        await client.health()
    assert connections_to(service) == CLIENTS
    del client, clients
    gc.collect()
    with anyio.fail_after(_CLOSED_WITHIN):
        while connections_to(service):
            await checkpoint()


PROGRAMS = {
    "blocking": "from arp_sdk import DaemonClient\nclient = DaemonClient({url!r})\nclient.health()\n",
    "in a function": "from arp_sdk import DaemonClient\ndef main():\n    DaemonClient({url!r}).health()\nmain()\n",
    "async": (
        "import asyncio\nfrom arp_sdk import AsyncDaemonClient\n"
        "async def main():\n    client = AsyncDaemonClient({url!r})\n    await client.health()\nasyncio.run(main())\n"
    ),
    "settings": (
        "from arp_sdk import DaemonClient, clients\n"
        "client = DaemonClient(client=clients.DaemonClient({url!r}))\nclient.health()\n"
    ),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_closes_nothing_ends_without_a_word(service: Service, program: str) -> None:
    """No ResourceWarning and no traceback at exit, for somebody who writes five lines."""
    service.answer("GET", "/v1/health", HEALTH)
    command = [sys.executable, "-W", "error", "-c", program.format(url=service.url)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_leaving_the_block_closes_a_client_that_was_made_here(service: Service) -> None:
    """`with` ends the connections."""
    with RuntimeClient(service.url) as client:
        raw = client.raw_client
    assert raw.is_closed


async def test_leaving_the_block_closes_an_async_client(service: Service) -> None:
    """`async with` ends the connections, unless they are the caller's own."""
    async with AsyncRuntimeClient(service.url) as client:
        raw = client.raw_client
    assert raw.is_closed
    async with httpx.AsyncClient(base_url=service.url) as mine:
        async with AsyncRuntimeClient(client=mine):
            pass
        assert not mine.is_closed


async def test_leaving_the_block_cancels_no_run(service: Service) -> None:
    """A run goes on without whoever submitted it: nothing is sent when a client is closed, by either kind."""
    service.answer("GET", "/v1/runs/r1", STATUS)
    with DaemonClient(service.url) as client:
        client.get_run_status("r1")
    async with AsyncDaemonClient(service.url) as awaited:
        await awaited.get_run_status("r1")
    assert [seen.method for seen in service.seen] == ["GET", "GET"]
