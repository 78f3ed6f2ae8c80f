"""The daemon's ASGI app, assembled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.api_document import api_document
from arp_daemon.routes.instance_logs import instance_log_routes
from arp_daemon.routes.instances import instance_routes
from arp_daemon.routes.profiles import profile_routes
from arp_daemon.routes.run_collection import run_collection_routes
from arp_daemon.routes.runs import run_routes
from arp_service.application import create_app
from arp_service.info import ServiceInfo, info_routes

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.applications import Starlette

    from arp_daemon.daemon import Daemon
    from arp_service.admission import Admission

FEATURES = (
    "runs.batch",
    "runs.filter",
    "runs.cancel",
    "runs.idempotency_key",
    "run.events",
    "run.events.ndjson",
    "run.events.on_disconnect",
    "run.cancel",
    "instance.logs",
)
INFO = ServiceInfo("arp-daemon", "arp-daemon", FEATURES)


def daemon_app(daemon: Daemon, admit: Admission, allowed_hosts: Collection[str] = ()) -> Starlette:
    """All routes of the daemon, behind the door."""
    return create_app(
        [
            *info_routes(INFO, daemon.health.checks),
            *run_collection_routes(daemon),
            *run_routes(daemon),
            *instance_routes(daemon),
            *instance_log_routes(daemon),
            *profile_routes(daemon),
        ],
        admit,
        api_document(admit.description, admit.token),
        allowed_hosts,
    )
