"""Launching one instance and waiting until it is healthy: the only module that talks to the launcher of instances."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import structlog
from msgspec import to_builtins

from arp_daemon.address import Address
from arp_daemon.errors import InstanceStartError, RuntimeProbeError
from arp_daemon.launch_plan import BYTES_PER_MIB
from arp_daemon.launcher import LauncherError, LauncherGoneError, LauncherStoppingError
from arp_daemon.port_owner import StrangerListensError, says_taken, until_listening
from arp_daemon.probe import until_healthy
from arp_model import InstanceState
from arp_service.changed import Changed
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from arp_daemon.instance import Instance
    from arp_daemon.launch_plan import LaunchPlan
    from arp_daemon.launcher import Exited, Launched, LauncherClient
    from arp_daemon.launcher.protocol import Enforcement, Stream
    from arp_daemon.redaction import Redactor
    from arp_daemon.store import Store
    from arp_model import VersionInfo

_log = structlog.get_logger(__name__)

_TAIL_LINES = 20
# A launcher that died is replaced in a moment.
_LAUNCHER_WAIT_S = 10.0
# A picked port may be taken by another program before the instance has bound it.
_PORT_TRIES = 3
# From the answer to a stop to the news of the exit, on the same connection.
_EXIT_TIMEOUT_S = 5.0
# Launchers that die one after the other are followed by more; after this, something else is wrong.
_LAUNCHERS_TIMEOUT_S = 60.0


class _PortTakenError(InstanceStartError):
    """Another program has the port that was picked."""


class Starter:
    """Starts and stops processes of instances."""

    def __init__(self, store: Store, redactor: Redactor) -> None:
        self._store = store
        self._redactor = redactor
        self._launcher: LauncherClient | None = None
        self._launcher_changed = Changed()

    def use(self, launcher: LauncherClient | None) -> None:
        """Work with this launcher from now on; None: there is none at the moment."""
        self._launcher = launcher
        self._launcher_changed.notify()

    @property
    def has_launcher(self) -> bool:
        """Whether there is a launcher now."""
        return self._launcher is not None

    async def list_alive(self) -> dict[str, Launched]:
        """The instances that the launcher has, by id. Raises LauncherError."""
        records = await (await self.present_launcher()).list()
        return {r.launched.instance_id: r.launched for r in records if r.exited is None}

    async def stop_stray(self, instance_id: str) -> None:
        """End an instance that nobody knows."""
        with suppress(LauncherError):
            await (await self.present_launcher()).stop(instance_id, 0.0)

    async def launch(self, instance: Instance, plan: LaunchPlan) -> None:
        """Launch and wait until healthy. A failure leaves cleaning up to the caller.

        A launcher that dies meanwhile took along what it had started: the next one is asked.

        Raises:
            InstanceStartError: with the tail of its stderr.
        """
        gone: LauncherClient | None = None
        give_up_at = anyio.current_time() + _LAUNCHERS_TIMEOUT_S
        try:
            while anyio.current_time() < give_up_at:
                launcher = await self.present_launcher(other_than=gone)
                with suppress(LauncherGoneError, LauncherStoppingError):
                    await self._launch_by(launcher, instance, plan)
                    return
                gone = launcher
            raise LauncherGoneError("one launcher after the other ended")
        except LauncherError as exc:
            raise InstanceStartError(
                f"The instance could not be launched: {exc.message}",
                details={"code": exc.code, "stderr_tail": self._redactor.text(exc.stderr_tail)},
            ) from exc

    async def stop(self, instance: Instance, grace_s: float | None = None) -> None:
        """End its process and whatever that forked; `grace_s` None: as its profile says."""
        if self._launcher is None:  # it took its instances along
            return
        try:
            grace_s = instance.facts.stop_grace_s if grace_s is None else grace_s
            await self._launcher.stop(instance.instance_id, grace_s)
        except LauncherError as exc:  # it was never launched, or has ended, or the launcher took it along
            _log.debug("nothing_to_stop", instance_id=instance.instance_id, reason=exc.message)

    async def _launch_by(self, launcher: LauncherClient, instance: Instance, plan: LaunchPlan) -> None:
        for _ in range(_PORT_TRIES - 1):
            try:
                await self._launch_once(launcher, instance, plan)
            except _PortTakenError as exc:
                _log.info("port_taken", instance_id=instance.instance_id, endpoint=instance.endpoint)
                if not await self._clear(launcher, instance):
                    raise exc from None
            else:
                return
        await self._launch_once(launcher, instance, plan)

    async def _clear(self, launcher: LauncherClient, instance: Instance) -> bool:
        """End what is left of a try. Return whether there may be another one: nobody has deleted it meanwhile."""
        await launcher.stop(instance.instance_id, 0.0)
        with anyio.move_on_after(_EXIT_TIMEOUT_S):
            while instance.exited is None:
                await instance.changed.wait()
            # The next one under this id has not ended.
            instance.exited = None
            return instance.lifecycle is InstanceState.STARTING
        return False

    async def _launch_once(self, launcher: LauncherClient, instance: Instance, plan: LaunchPlan) -> None:
        launched = await launcher.launch(plan.spec)
        facts = instance.facts
        facts.address = _address(launched)
        facts.pid, facts.start_time, facts.boot_id = launched.pid, launched.start_time, launched.boot_id
        facts.limits = _in_profile_words(launched.limits)
        for name, held in facts.limits.items():
            if held["by"] == "nothing":
                _log.warning("limit_not_held", instance_id=instance.instance_id, limit=name, reason=held["note"])
        # Stored before it is healthy: a daemon that dies now finds it again.
        await self.record(instance)
        instance.learn(await self._until_ready(launcher, instance, launched, plan))
        self._check_present(launcher)

    def _check_present(self, launcher: LauncherClient) -> None:
        if self._launcher is not launcher:
            raise LauncherGoneError("the launcher ended while the instance started")

    async def present_launcher(self, other_than: LauncherClient | None = None) -> LauncherClient:
        """Wait for a launcher, where one is being started."""
        with anyio.move_on_after(_LAUNCHER_WAIT_S):
            while self._launcher is None or self._launcher is other_than:
                await self._launcher_changed.wait()
        if self._launcher is None or self._launcher is other_than:
            raise LauncherGoneError("there is no launcher at the moment")
        return self._launcher

    async def record(self, instance: Instance) -> None:
        """Write what is known of it to the disk.

        Raises:
            InstanceStartError: the store does not take it.
        """
        try:
            await self._store.put_instance(instance.record())
        except StoreUnavailableError as exc:
            raise InstanceStartError(f"The instance could not be recorded: {exc.message}") from exc

    async def _until_ready(
        self, launcher: LauncherClient, instance: Instance, launched: Launched, plan: LaunchPlan
    ) -> VersionInfo:
        version: VersionInfo | None = None
        taken = False
        why = f"did not get healthy in {plan.exec.start_timeout_s:g} s"

        async def watch_end() -> None:
            nonlocal why
            while instance.exited is None and instance.lifecycle is InstanceState.STARTING:
                await instance.changed.wait()
            why = "was deleted" if instance.exited is None else how_it_ended(instance.exited)
            why += " while it started"
            tasks.cancel_scope.cancel()

        async def watch_launcher() -> None:
            while self._launcher is launcher:
                await self._launcher_changed.wait()
            tasks.cancel_scope.cancel()

        with anyio.move_on_after(plan.exec.start_timeout_s):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch_end)
                tasks.start_soon(watch_launcher)
                try:
                    if launched.listen != "fd":  # that socket is the launcher's own
                        await until_listening(launched)
                    version = await until_healthy(instance.address, str(instance.facts.nonce))
                except StrangerListensError:
                    taken, why = True, f"could not listen at {instance.endpoint}; another program does"
                except RuntimeProbeError as exc:
                    why = exc.message
                tasks.cancel_scope.cancel()
        self._check_present(launcher)
        if version is not None:
            return version
        said = await self._last_words(instance)
        details = {"instance_id": instance.instance_id, "stderr_tail": said["stderr"]}
        if instance.exited is not None:
            # Its stderr alone, not that of an earlier try under its id.
            taken = taken or says_taken(instance.exited.stderr_tail) or says_taken(said["stdout"])
        error = _PortTakenError if taken and launched.listen == "port" else InstanceStartError
        raise error(f"The instance {why}.", details=details)

    async def _last_words(self, instance: Instance) -> dict[Stream, str]:
        said: dict[Stream, str] = dict.fromkeys(("stdout", "stderr"), "")
        try:
            launcher = await self.present_launcher()
            for stream in said:
                said[stream] = self._redactor.text(await launcher.tail(instance.instance_id, stream, _TAIL_LINES))
        except LauncherError:
            said["stderr"] = "" if instance.exited is None else instance.exited.stderr_tail
        return said


def _address(launched: Launched) -> Address:
    if launched.path is not None:
        return Address("http://localhost", uds=launched.path)
    return Address(f"http://{launched.host}:{launched.port}")


def _in_profile_words(limits: dict[str, Enforcement]) -> dict[str, Any]:
    """What holds each limit, by its name and in its unit in `arp.exec`."""
    held: dict[str, Any] = to_builtins(limits)
    if memory := held.pop("memory_bytes", None):
        held["memory_mib"] = memory | {"limit": memory["limit"] // BYTES_PER_MIB}
    return held


def how_it_ended(exited: Exited) -> str:
    """In words: by which signal, or with which code; and which limits it had hit."""
    code = exited.exit_code
    how = f"was ended by signal {exited.signal}" if code is None else f"exited with code {code}"
    return f"{how}, having hit its limit of {' and '.join(exited.hits)}" if exited.hits else how
