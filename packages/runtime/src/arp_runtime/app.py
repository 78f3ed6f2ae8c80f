"""Assembles the runtime's app from its parts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from arp_model import HealthChecksItem, Status
from arp_runtime.agents.variables import NONCE_VARIABLE
from arp_runtime.api_document import api_document
from arp_runtime.routes import RunRoutes
from arp_service.application import create_app
from arp_service.info import ServiceInfo, info_routes
from arp_service.sqlite import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.applications import Starlette

    from arp_runtime.records.opening import Records
    from arp_runtime.runs.manager import RunManager
    from arp_service.admission import Admission
    from arp_service.stopping import Stop

DISTRIBUTION = "arp-runtime"
FEATURES = ("runs.batch", "events", "run.events", "run.events.ndjson", "run.trace", "run.cancel")


def create_runtime_app(
    runs: RunManager, records: Records, stop: Stop, admit: Admission, allowed_hosts: Collection[str] = ()
) -> Starlette:
    """The ASGI app: health, version and metrics, and the operations on runs."""
    records.metrics.ask(runs)

    async def checks() -> list[HealthChecksItem]:
        return [_check_runs(runs, stop), _check_agents(runs), _check_store(records)]

    routes = RunRoutes(runs, stop).routes()
    every = [*info_routes(_service_info(runs), checks), *routes, records.metrics.route()]
    return create_app(every, admit, api_document(admit.description, admit.token), allowed_hosts)


def _check_runs(runs: RunManager, stop: Stop) -> HealthChecksItem:
    taken = not (runs.abandoned or stop.requested.is_set())
    return HealthChecksItem(
        name="runs",
        status=Status.OK if taken else Status.DEGRADED,
        message="Runs are taken." if taken else "No new runs are taken.",
        details={"under_way": runs.under_way, "waiting": runs.waiting},
    )


def _check_agents(runs: RunManager) -> HealthChecksItem:
    """A daemon replaces an instance where this is not ok."""
    if runs.abandoned == 0:
        return HealthChecksItem(name="abandoned_agents", status=Status.OK)
    return HealthChecksItem(
        name="abandoned_agents",
        status=Status.DEGRADED,
        message="Agents are still at work whose runs have ended without them; start another runtime in place of this.",
        details={"abandoned": runs.abandoned},
    )


def _check_store(records: Records) -> HealthChecksItem:
    try:
        records.chronicle.check()
    except StoreUnavailableError as exc:
        return HealthChecksItem(name="store", status=Status.DEGRADED, message=f"No new runs are taken: {exc.message}")
    return HealthChecksItem(name="store", status=Status.OK)


def _service_info(runs: RunManager) -> ServiceInfo:
    nonce = os.environ.get(NONCE_VARIABLE)
    extensions = {} if nonce is None else {"arp.nonce": nonce}
    capacity = {"arp.max_concurrent_runs": runs.max_concurrent}
    return ServiceInfo("arp-runtime", DISTRIBUTION, FEATURES, {**extensions, **capacity})
