"""The instances of one launcher: the manager that owns their state."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, NamedTuple

import anyio

from arp_daemon.launcher.capture import Output, log_path
from arp_daemon.launcher.endpoint import Endpoint
from arp_daemon.launcher.errors import (
    InstanceExistsError,
    LauncherStoppingError,
    LaunchFailedError,
    StopFailedError,
    UnknownInstanceError,
)
from arp_daemon.launcher.log_reading import read_log
from arp_daemon.launcher.logs import prune_logs, tail_lines
from arp_daemon.launcher.protocol import Exited, InstanceRecord, Launched
from arp_daemon.launcher.users import find_user
from arp_service.processes import kill_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import TaskGroup

    from arp_daemon.launcher.protocol import LaunchSpec, LogPiece, ReadLog, Stream
    from arp_daemon.launcher.reaper import Reaper
    from arp_daemon.launcher.socket_folder import SocketFolder
    from arp_daemon.launcher.starter import Started, Starter

__all__ = ["Instances"]

_logger = logging.getLogger(__name__)

# Ended instances that are remembered, and whose logs are kept.
_KEPT_ENDED = 256
# From the last SIGKILL to the report of the end: reaping, killing strays, draining two pipes.
_END_TIMEOUT = 15.0


class _Instance:
    def __init__(
        self, spec: LaunchSpec, launched: Launched, started: Started, endpoint: Endpoint, output: Output
    ) -> None:
        self.spec = spec
        self.launched = launched
        self.endpoint = endpoint
        self.child = started.child
        self.group = started.group
        self.output = output
        self._ended = anyio.Event()
        self._report: Exited | None = None

    def set_ended(self, report: Exited) -> None:
        self._report = report
        self._ended.set()

    async def kill(self) -> None:
        """End the whole tree: by its control group, else by a walk."""
        if not await self.group.kill():
            await kill_tree(self.child.identity)

    async def wait_ended(self) -> Exited:
        while self._report is None:
            await self._ended.wait()
        return self._report


class _Ended(NamedTuple):
    launched: Launched
    report: Exited
    output: Output


class Instances:
    """Starts, stops and lists instances. `on_exit` hears of every end, when nothing is left of the tree."""

    def __init__(
        self,
        task_group: TaskGroup,
        starter: Starter,
        reaper: Reaper,
        logs: Path,
        sockets: SocketFolder,
        on_exit: Callable[[Exited], None],
    ) -> None:
        self._task_group = task_group
        self._starter = starter
        self._reaper = reaper
        self._logs = logs
        self._sockets = sockets
        self._on_exit = on_exit
        self._starting: dict[str, anyio.Event] = {}
        self._live: dict[str, _Instance] = {}
        self._ended: dict[str, _Ended] = {}
        self._stopping = False

    async def launch(self, spec: LaunchSpec) -> Launched:
        """Start an instance. An id may be used again once its instance has ended.

        Raises:
            LauncherStoppingError, InstanceExistsError, InvalidSpecError: nothing was started.
            LaunchFailedError: it did not come up, and nothing is left of it.
        """
        if self._stopping:
            raise LauncherStoppingError("The launcher is ending.")
        if spec.instance_id in self._live or spec.instance_id in self._starting:
            raise InstanceExistsError(f"Instance {spec.instance_id!r} is live.")
        done = self._starting[spec.instance_id] = anyio.Event()
        try:
            return await self._launch(spec)
        except OSError as exc:
            raise LaunchFailedError(f"Instance {spec.instance_id!r} cannot be started: {exc}.") from exc
        finally:
            del self._starting[spec.instance_id]
            done.set()

    async def _launch(self, spec: LaunchSpec) -> Launched:
        taken = {live.launched.port for live in self._live.values() if live.launched.port}
        user = find_user(spec.user)
        with Endpoint(spec, taken, self._sockets, user) as endpoint:
            output = Output(
                self._logs / spec.instance_id, [spec.env[name] for name in spec.secrets if name in spec.env]
            )
            output.start(self._task_group)
            try:
                started = await self._starter.start(spec, user, endpoint, output)
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await output.discard()
                raise
            output.close_write_ends()
        launched = Launched(
            instance_id=spec.instance_id,
            pid=started.child.identity.pid,
            start_time=started.child.identity.start_time,
            boot_id=started.child.identity.boot_id,
            host=endpoint.host,
            port=endpoint.port,
            path=None if endpoint.path is None else str(endpoint.path),
            listen=spec.listen,
            limits=started.limits,
        )
        instance = self._live[spec.instance_id] = _Instance(spec, launched, started, endpoint, output)
        self._ended.pop(spec.instance_id, None)
        self._task_group.start_soon(self._follow, instance)
        return launched

    async def _follow(self, instance: _Instance) -> None:
        """Wait for the end, clear up after it, and report it."""
        await instance.child.exited.wait()
        # Told before the rest is killed: the end of the root is what is explained.
        hits = instance.group.find_hits()
        await instance.group.kill()
        await self._reaper.kill_strays()
        instance.group.remove()
        instance.endpoint.remove()
        await instance.output.finish()
        exited = Exited(
            instance_id=instance.launched.instance_id,
            exit_code=instance.child.exit_code,
            signal=instance.child.signal,
            hits=hits,
            stderr_tail=instance.output.stderr.tail(),
        )
        del self._live[exited.instance_id]
        self._remember(_Ended(instance.launched, exited, instance.output))
        instance.set_ended(exited)
        self._on_exit(exited)

    def _remember(self, ended: _Ended) -> None:
        self._ended[ended.launched.instance_id] = ended
        while len(self._ended) > _KEPT_ENDED:
            del self._ended[next(iter(self._ended))]
        prune_logs(self._logs, _KEPT_ENDED, self._live.keys() | self._starting.keys())

    async def stop(self, instance_id: str, grace_s: float | None = None) -> Exited:
        """SIGTERM, wait for `grace_s`, SIGKILL the whole tree; return when nothing is left.

        An instance that has ended is reported as it ended. A second stop with a shorter grace hurries the
        first.

        One that is just being launched is stopped when it is up: its daemon may have given up waiting.

        Raises:
            UnknownInstanceError: there was no such instance.
            StopFailedError: something could not be killed.
        """
        if launching := self._starting.get(instance_id):
            await launching.wait()
        if exited := self._ended.get(instance_id):
            return exited.report
        instance = self._find(instance_id)
        instance.child.send_signal(signal.SIGTERM)
        with anyio.move_on_after(instance.spec.stop_grace_s if grace_s is None else grace_s):
            await instance.child.exited.wait()
        try:
            with anyio.fail_after(_END_TIMEOUT):
                if not instance.child.exited.is_set():
                    await instance.kill()
                return await instance.wait_ended()
        except TimeoutError as exc:
            raise StopFailedError(f"Something of instance {instance_id!r} could not be killed.") from exc

    def signal(self, instance_id: str, signum: int) -> None:
        """Signal the root process.

        Raises:
            UnknownInstanceError: there is no such live instance.
        """
        self._find(instance_id).child.send_signal(signum)

    def _find(self, instance_id: str) -> _Instance:
        if instance := self._live.get(instance_id):
            return instance
        raise UnknownInstanceError(f"Instance {instance_id!r} is not live.")

    def list(self) -> list[InstanceRecord]:
        """Return all live instances, and those that ended last, in the order of their ends."""
        ended = [InstanceRecord(launched, report) for launched, report, _ in self._ended.values()]
        return ended + [InstanceRecord(live.launched) for live in self._live.values()]

    def tail(self, instance_id: str, stream: Stream, lines: int) -> str:
        """Return the last `lines` lines of an instance's output, live or ended.

        Raises:
            UnknownInstanceError: no log is kept of such an instance.
        """
        try:
            return tail_lines(log_path(self._logs / instance_id, stream), lines)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise UnknownInstanceError(f"No log of instance {instance_id!r} is kept.") from exc

    async def read_log(self, request: ReadLog) -> LogPiece:
        """Return a piece of an instance's output, live or ended; wait for it where that is asked for.

        Raises:
            UnknownInstanceError: no log is kept of such an instance.
        """
        known = self._live.get(request.instance_id) or self._ended.get(request.instance_id)
        capture = known.output.of(request.stream) if known else None
        try:
            return await read_log(log_path(self._logs / request.instance_id, request.stream), capture, request)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise UnknownInstanceError(f"No log of instance {request.instance_id!r} is kept.") from exc

    async def shutdown(self, grace_s: float | None = None) -> None:
        """Start nothing more, and stop everything, in parallel."""
        self._stopping = True
        for done in list(self._starting.values()):
            await done.wait()
        async with anyio.create_task_group() as stops:
            for instance_id in list(self._live):
                stops.start_soon(self._stop_or_log, instance_id, grace_s)
        await self._reaper.kill_strays()

    async def _stop_or_log(self, instance_id: str, grace_s: float | None) -> None:
        try:
            await self.stop(instance_id, grace_s)
        except StopFailedError as exc:
            _logger.error("%s", exc)
