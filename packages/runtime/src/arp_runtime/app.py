"""Assembles the runtime's app from its parts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from arp_model import HealthChecksItem, Status
from arp_runtime.routes import RunRoutes
from arp_runtime.variables import NONCE_VARIABLE
from arp_service.application import create_app
from arp_service.info import ServiceInfo, info_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette
    from starlette.datastructures import Headers
    from starlette.types import Scope

    from arp_runtime.manager import RunManager
    from arp_service.stopping import Stop

FEATURES = ("runs.batch", "events", "run.events", "run.events.ndjson", "run.trace", "run.cancel")


def create_runtime_app(runs: RunManager, stop: Stop, admit: Callable[[Scope, Headers], None]) -> Starlette:
    """The ASGI app: health and version, and the operations on runs."""

    async def checks() -> list[HealthChecksItem]:
        return [_check_runs(runs, stop)]

    return create_app([*info_routes(_service_info(), checks), *RunRoutes(runs, stop).routes()], admit)


def _check_runs(runs: RunManager, stop: Stop) -> HealthChecksItem:
    status, message = Status.OK, "Runs are taken."
    if runs.abandoned:
        status = Status.DEGRADED
        message = "Agents of runs that have ended are still at work: no new runs are taken; replace this runtime."
    elif stop.requested.is_set():
        status, message = Status.DEGRADED, "Stopping: no new runs are taken."
    details = {"under_way": runs.under_way, "waiting": runs.waiting, "abandoned": runs.abandoned}
    return HealthChecksItem(name="runs", status=status, message=message, details=details)


def _service_info() -> ServiceInfo:
    nonce = os.environ.get(NONCE_VARIABLE)
    extensions = {} if nonce is None else {"arp.nonce": nonce}
    return ServiceInfo("arp-runtime", "arp-runtime", FEATURES, extensions)
