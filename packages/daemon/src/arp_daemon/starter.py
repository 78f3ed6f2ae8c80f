"""Launching one instance and waiting until it is healthy: the only module that talks to the launcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import structlog

from arp_daemon.errors import InstanceStartError, RuntimeProbeError
from arp_daemon.launcher import LauncherError
from arp_daemon.port_owner import listens_in_tree
from arp_daemon.probe import until_healthy

if TYPE_CHECKING:
    from arp_daemon.instance import Instance
    from arp_daemon.launch_plan import LaunchPlan
    from arp_daemon.launcher import Launched, LauncherClient
    from arp_daemon.store import Store
    from arp_model import VersionInfo

_log = structlog.get_logger(__name__)

_TAIL_LINES = 20


class Starter:
    """Starts and stops processes of instances."""

    launcher: LauncherClient

    def __init__(self, store: Store) -> None:
        self._store = store

    async def launch(self, instance: Instance, plan: LaunchPlan) -> None:
        """Launch and wait until healthy. A failure leaves cleaning up to the caller.

        Raises:
            InstanceStartError: with the tail of its stderr.
        """
        try:
            launched = await self.launcher.launch(plan.spec)
        except LauncherError as exc:
            raise InstanceStartError(
                f"The instance could not be launched: {exc.message}",
                details={"code": exc.code, "stderr_tail": exc.stderr_tail},
            ) from exc
        facts = instance.facts
        facts.endpoint = f"http://{launched.host}:{launched.port}"
        facts.pid, facts.start_time, facts.boot_id = launched.pid, launched.start_time, launched.boot_id
        # Stored before it is healthy: a daemon that dies now finds it again.
        await self._store.put_instance(instance.record())
        instance.learn(await self._until_ready(instance, launched, plan))
        await self._store.put_instance(instance.record())

    async def stop(self, instance: Instance) -> None:
        """End its process and whatever that forked."""
        try:
            await self.launcher.stop(instance.instance_id, instance.facts.stop_grace_s)
        except LauncherError as exc:  # it was never launched, or has ended, or the launcher took it along
            _log.debug("nothing_to_stop", instance_id=instance.instance_id, reason=exc.message)

    async def _until_ready(self, instance: Instance, launched: Launched, plan: LaunchPlan) -> VersionInfo:
        version: VersionInfo | None = None
        why = f"did not get healthy in {plan.exec.start_timeout_s:g} s"

        async def watch_exit() -> None:
            nonlocal why
            while instance.exited is None:
                await instance.changed.wait()
            why = _how_it_ended(instance)
            tasks.cancel_scope.cancel()

        with anyio.move_on_after(plan.exec.start_timeout_s):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch_exit)
                try:
                    version = await until_healthy(instance.endpoint, str(instance.facts.nonce))
                except RuntimeProbeError as exc:
                    why = exc.message
                tasks.cancel_scope.cancel()
        if version is not None and plan.spec.listen == "port" and not listens_in_tree(launched.pid, launched.port or 0):
            version, why = None, "does not listen on its port itself; another program does"
        if version is None:
            raise InstanceStartError(f"The instance {why}.", details=await self._last_words(instance))
        return version

    async def _last_words(self, instance: Instance) -> dict[str, Any]:
        try:
            tail = await self.launcher.tail(instance.instance_id, "stderr", _TAIL_LINES)
        except LauncherError:
            tail = "" if instance.exited is None else instance.exited.stderr_tail
        return {"instance_id": instance.instance_id, "stderr_tail": tail}


def _how_it_ended(instance: Instance) -> str:
    exited = instance.exited
    if exited is None or exited.exit_code is None:
        return f"was ended by signal {None if exited is None else exited.signal} while it started"
    return f"exited with code {exited.exit_code} while it started"
