"""One case: a real daemon on a data dir of its own, in bounded memory; what it leaves behind is looked for."""

from __future__ import annotations

import os
import random
import signal
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import psutil

from faults.leaks import files_left, processes_of, sockets_at
from faults.ledger import Ledger
from support.daemon import RunningDaemon, running
from support.waiting import until, until_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_AGENTS = Path(__file__).parent
# Data of one process: a daemon needs a tenth of it. Launcher and instances inherit the bound.
_MAX_DATA_BYTES = 1024**3
_START_TIMEOUT_S = 30


class BoundedDaemon(RunningDaemon):
    """A daemon that cannot eat up the machine."""

    async def spawn(self, *args: str) -> None:
        await super().spawn(*args)
        psutil.Process(self.process.pid).rlimit(psutil.RLIMIT_DATA, (_MAX_DATA_BYTES, _MAX_DATA_BYTES))

    async def kill_process(self) -> None:
        """SIGKILL, and wait for its end; the client's calls fail by themselves."""
        self.process.send_signal(signal.SIGKILL)
        with anyio.fail_after(_START_TIMEOUT_S):
            await self.process.wait()
        await self.process.aclose()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    async def launcher(self) -> psutil.Process:
        """The launcher's process, as soon as there is one that the daemon can use."""
        await until_answer(lambda: self.get("/v1/health"), _has_launcher)
        found: list[psutil.Process] = []
        while len(found) != 1:
            await anyio.lowlevel.checkpoint()
            found = [process for process in processes_of(self.data_dir) if self._is_launcher(process)]
        return found[0]

    def _is_launcher(self, process: psutil.Process) -> bool:
        """Tell the launcher from what the daemon starts to become it, which goes into the background and ends."""
        with suppress(psutil.NoSuchProcess):
            command = process.cmdline()
            is_named_so = "arp_daemon.launcher" in command and "--data-dir" in command
            return is_named_so and process.ppid() != self.process.pid
        return False


class Scene:
    """What a case works with."""

    def __init__(self, folder: Path, name: str) -> None:
        self.seed = int(os.environ.get("ARP_FAULTS_SEED") or random.SystemRandom().randrange(2**32))
        self.rng = random.Random(f"{self.seed} {name}")
        self.daemon = BoundedDaemon(folder / "data")
        self.ledger = Ledger(folder / "ledger")

    async def put_agent(self, agent: str = "recorded", *, profile: str = "default", **exec_: Any) -> None:
        """Upsert a profile that serves one of our agents, forked from a warm template."""
        await self.daemon.put_profile(
            profile,
            driver="runtime",
            agent=f"agents:{agent}",
            template="arp_runtime.cli:main",
            working_directory=str(_AGENTS),
            env={"FAULTS_LEDGER": str(self.ledger.path)},
            **exec_,
        )


@asynccontextmanager
async def opened(folder: Path, name: str) -> AsyncIterator[Scene]:
    """Start a daemon in `folder`; at the end stop it in order, and look for what it left behind.

    The seed of the case's randomness is printed, which pytest shows for a case that fails; ARP_FAULTS_SEED sets it.
    """
    scene = Scene(folder, name)
    print(f"ARP_FAULTS_SEED={scene.seed}")
    async with running(scene.daemon):
        yield scene
        await until(lambda: psutil.CONN_CLOSE_WAIT not in " ".join(sockets_at(scene.daemon.port)))
    left = [
        *map(str, processes_of(scene.daemon.data_dir)),
        *sockets_at(scene.daemon.port),
        *files_left(scene.daemon.data_dir),
    ]
    assert left == [], f"left behind: {left}"


def _has_launcher(health: dict[str, Any]) -> bool:
    return any(check["name"] == "launcher" and check["status"] == "ok" for check in health["checks"])
