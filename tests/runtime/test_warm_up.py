"""What a launcher's template does: import `arp_runtime.cli`, warm up, prepare, fork, and call main in each child."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx
import psutil
import pytest

from runtime.streams import execute
from support.runtime import RunningRuntime, running_runtime

_TEMPLATE = """
import ctypes, gc, os, signal, sys
import arp_runtime.cli
arp_runtime.cli.warm_up()
arp_runtime.cli.prepare(sys.argv)
kernel = ctypes.CDLL(None)
gc.collect()
gc.freeze()
warm, collected = set(sys.modules), gc.get_stats()[-1]["collections"]
child = os.fork()
if child == 0:
    kernel.prctl(1, signal.SIGKILL)  # when its parent ends, as a failed test has it do
    try:
        arp_runtime.cli.main()
    finally:
        late = [*sorted(set(sys.modules) - warm), *["collected"] * (gc.get_stats()[-1]["collections"] - collected)]
        print("late:", *late, file=sys.stderr, flush=True)
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

# Prints what a process has before, and after.
_WARMED = """
import asyncio, gc, json, logging, os, signal, sys, threading
import arp_runtime.cli, structlog

called = []
sys.addaudithook(lambda event, args: called.append(args[1]) if event == "socket.connect" else None)

def traces():
    gc.collect()
    return {
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "threads": [thread.name for thread in threading.enumerate()],
        "children": open("/proc/self/task/%d/children" % os.getpid()).read(),
        "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "wake-up": signal.set_wakeup_fd(-1),
        "alarm": signal.alarm(0),
        "handlers": list(map(str, logging.root.handlers)),
        "log is set up": structlog.is_configured(),
        "tasks": [str(one) for one in gc.get_objects() if isinstance(one, (asyncio.Task, asyncio.AbstractEventLoop))],
        "variables": sorted(os.environ.items()),
        "files": os.listdir(),  # of its home, in which it is
    }

before = traces()
arp_runtime.cli.warm_up()
arp_runtime.cli.prepare(["arp-runtime", "serve", "--host", "fd://3", "--agent", "default"])
print(json.dumps([before, traces(), called]))
"""


async def test_warming_up_serves_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """No thread, descriptor, task, handler, line or file: every instance would inherit it."""
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    with anyio.fail_after(30):
        done = await anyio.run_process([sys.executable, "-c", _WARMED], env=os.environ | home, cwd=tmp_path)
    before, after, called = json.loads(done.stdout)
    assert after == before
    assert done.stderr == b""
    assert [host for host, _port in called] == ["127.0.0.1"]


async def test_a_process_forked_from_a_warm_one_has_nothing_left_to_import_or_to_collect() -> None:
    """To warm up loads all that a fork needs, so it starts at once and writes to little of what it shares."""
    async with running_runtime(program=("-c", _TEMPLATE)) as runtime:
        async with _client(runtime) as client:
            answer = (await execute(client, "What time is it in UTC?"))[-1].data["data"]["output"]["answer"]
        assert answer
        assert await runtime.stop() == 0
    assert [line for line in runtime.log if line.startswith("late:")] == ["late:"]


async def test_a_process_forked_from_a_warm_one_is_as_one_that_was_started() -> None:
    """It has counted nothing, holds what any instance holds, and logs what it is told to log."""
    async with AsyncExitStack() as stack:
        forked = await stack.enter_async_context(running_runtime("--log-level", "debug", program=("-c", _TEMPLATE)))
        started = await stack.enter_async_context(running_runtime("--log-level", "debug"))
        [fork] = psutil.Process(forked.process.pid).children()
        async with _client(forked) as to_forked, _client(started) as to_started:
            assert await _metrics(to_forked) == await _metrics(to_started)
            # Each has the connection that it was asked over.
            assert _held(fork.pid) == _held(started.process.pid)
        assert await forked.stop() == await started.stop() == 0
    assert _told(forked) == _told(started)


@pytest.mark.parametrize("variables", [{}, {"ARP_RUNTIME_MAX_CONCURRENT_RUNS": "3"}])
async def test_a_process_forked_from_a_warm_one_heeds_words_and_variables(variables: dict[str, str]) -> None:
    """Its words were prepared; its environment says more."""
    words = () if variables else ("--max-concurrent-runs", "3")
    async with running_runtime(*words, program=("-c", _TEMPLATE), env=variables) as runtime:
        async with _client(runtime) as client:
            version = (await client.get("/v1/version")).json()
        assert version["extensions"]["arp.max_concurrent_runs"] == 3


def _client(runtime: RunningRuntime) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=runtime.base_url, timeout=10)


async def _metrics(client: httpx.AsyncClient) -> list[str]:
    return [line for line in (await client.get("/metrics")).text.splitlines() if "_created" not in line]


def _held(pid: int) -> list[str]:
    """What its descriptors are, without the numbers of pipes and sockets."""
    return sorted(str(one.readlink()).partition(":[")[0] for one in Path(f"/proc/{pid}/fd").iterdir())


def _told(runtime: RunningRuntime) -> list[str]:
    return [json.loads(line)["event"] for line in runtime.log if line.startswith("{")]
