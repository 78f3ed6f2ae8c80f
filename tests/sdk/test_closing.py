"""Clients leave no connection behind, whether they are closed or not; and no run is canceled by that."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from ast import literal_eval
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import anyio
import httpx
import psutil
import pytest
from anyio.lowlevel import checkpoint

from arp_sdk import AsyncDaemonClient, AsyncRuntimeClient, DaemonClient, RuntimeClient, _plain_http

if TYPE_CHECKING:
    from sdk.service import Service

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
STATUS = {"run_id": "r1", "state": "queued"}
CLIENTS = 20
# How long the loop may take to close them, in seconds.
_CLOSED_WITHIN = 5


def ports_to(service: Service) -> set[int]:
    """From which ports this process is connected to the service; the service's own ends of them are not counted."""
    port = int(service.url.rpartition(":")[2])
    found = psutil.Process().net_connections("tcp")
    return {item.laddr.port for item in found if item.status != "LISTEN" and item.raddr.port == port}


def connections_to(service: Service) -> int:
    """How many connections this process has to the service."""
    return len(ports_to(service))


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


def test_what_many_calls_at_once_needed_is_closed_by_the_few_that_follow(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that have been idle for long are not kept for as long as others are used."""
    service.answer("GET", "/v1/health", HEALTH)
    with DaemonClient(service.url) as client, ExitStack() as at_once:
        *first, last = [at_once.enter_context(client.raw_client.stream("GET", "/v1/health")) for _ in range(3)]
        monkeypatch.setattr(_plain_http, "IDLE_TIME", 0.0)
        for response in first:
            response.read()
        monkeypatch.undo()
        last.read()
        assert connections_to(service) == 1


def test_a_client_that_is_closed_in_a_call_keeps_nothing(service: Service) -> None:
    """The answer is still read, as another thread may do; then its connection is closed as well."""
    service.answer("GET", "/v1/health", HEALTH)
    client = DaemonClient(service.url)
    with client.raw_client.stream("GET", "/v1/health") as response:
        client.close()
        assert response.read()
    assert connections_to(service) == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_calls_from_connections_of_its_own(service: Service) -> None:
    """On its parent's, it would read answers that are meant for the parent."""
    service.answer("GET", "/v1/health", HEALTH)
    told, tells = os.pipe()
    with DaemonClient(service.url) as client, os.fdopen(told, "rb") as child_says:
        client.health()
        child = os.fork()
        if child == 0:
            with suppress(Exception):
                client.health()
                os.write(tells, repr(ports_to(service)).encode())
            os._exit(0)
        os.close(tells)
        ports = literal_eval(child_says.read().decode())
        os.waitpid(child, 0)
        assert len(ports) == 1
        assert not ports & ports_to(service)


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
