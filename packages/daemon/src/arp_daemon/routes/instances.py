"""Instances: list, create, register, drain, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from arp_daemon.errors import ProfileNotLaunchableError
from arp_daemon.exec_spec import find_exec
from arp_daemon.routes.query import find_grace_s
from arp_model import (
    InstanceCreateRequest,
    InstanceCreateResponse,
    InstanceListResponse,
    InstanceRegisterRequest,
    InstanceRegisterResponse,
    RuntimeInstance,
)
from arp_service.body import read_struct
from arp_service.ids import check_id
from arp_service.responses import StructResponse

if TYPE_CHECKING:
    from starlette.requests import Request

    from arp_daemon.daemon import Daemon
    from arp_daemon.instance import Instance


def instance_routes(daemon: Daemon) -> list[Route]:
    """The routes of instances, bound to a daemon."""

    def view(instance: Instance) -> RuntimeInstance:
        return instance.view(outdated=daemon.profiles.is_outdated(instance))

    async def list_instances(_request: Request) -> Response:
        return StructResponse(InstanceListResponse(instances=[view(i) for i in daemon.instances.all()]))

    async def create_instances(request: Request) -> Response:
        daemon.stop.check()
        body = await read_struct(request, InstanceCreateRequest)
        if find_exec(daemon.profiles.get(body.runtime_profile).extensions) is None:
            raise ProfileNotLaunchableError(body.runtime_profile)
        created = await daemon.creator.create(body)
        daemon.pool.asked_for(created)
        return StructResponse(InstanceCreateResponse(instances=[view(i) for i in created]))

    async def register_instance(request: Request) -> Response:
        daemon.stop.check()
        body = await read_struct(request, InstanceRegisterRequest)
        instance = await daemon.registrar.register(body, _own_port(request))
        return StructResponse(InstanceRegisterResponse(instance=view(instance)))

    async def delete_instance(request: Request) -> Response:
        instance = daemon.instances.get(check_id(request.path_params["instance_id"], "instance_id"))
        daemon.pool.let_go(instance)
        await daemon.instances.drain(instance, instance.facts.stop_grace_s)
        return Response(status_code=204)

    async def drain_instance(request: Request) -> Response:
        instance = daemon.instances.get(check_id(request.path_params["instance_id"], "instance_id"))
        grace_s = find_grace_s(request)
        daemon.pool.let_go(instance)
        await daemon.drains.begin(instance, grace_s)
        return StructResponse(view(instance))

    return [
        Route("/v1/instances", list_instances),
        Route("/v1/instances", create_instances, methods=["POST"]),
        Route("/v1/instances:register", register_instance, methods=["POST"]),
        Route("/v1/instances/{instance_id:id}", delete_instance, methods=["DELETE"]),
        Route("/v1/instances/{instance_id:id}:drain", drain_instance, methods=["POST"]),
    ]


def _own_port(request: Request) -> int | None:
    """The port of the daemon itself: a run that it handed to itself would never end."""
    _host, port = request.scope.get("server") or (None, None)
    return port
