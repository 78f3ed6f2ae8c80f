"""Runtime profiles, the safe list: list, upsert, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET
from starlette.responses import Response
from starlette.routing import Route

from arp_daemon.errors import InvalidProfileError, ProfileInUseError
from arp_daemon.routes.query import read_flag
from arp_model import Pagination, RuntimeProfileListResponse, RuntimeProfileUpsertRequest
from arp_service.body import read_struct
from arp_service.ids import check_id
from arp_service.paging import page_token, read_page
from arp_service.responses import StructResponse

if TYPE_CHECKING:
    from starlette.requests import Request

    from arp_daemon.daemon import Daemon

_PAGES_OF = "profiles"


def profile_routes(daemon: Daemon) -> list[Route]:
    """The routes of runtime profiles, bound to a daemon."""

    async def list_runtime_profiles(request: Request) -> Response:
        page = read_page(request, _PAGES_OF)
        found = daemon.profiles.list_after(page.after, page.size + 1)
        shown = found[: page.size]
        more = len(found) > page.size
        pagination = Pagination(
            page_size=page.size,
            next_page_token=page_token(_PAGES_OF, shown[-1].runtime_profile) if more else UNSET,
        )
        views = [daemon.profiles.view(profile) for profile in shown]
        return StructResponse(RuntimeProfileListResponse(profiles=views, pagination=pagination))

    async def upsert_runtime_profile(request: Request) -> Response:
        name = _name(request)
        body = await read_struct(request, RuntimeProfileUpsertRequest)
        if body == RuntimeProfileUpsertRequest():
            # Allowed by the schema, but it would tell nobody anything: arp-conformance 0.2.6 expects a refusal too.
            raise InvalidProfileError("$: an empty profile says nothing; give at least a description.")
        return StructResponse(daemon.profiles.view(await daemon.profiles.upsert(name, body)))

    async def delete_runtime_profile(request: Request) -> Response:
        name = _name(request)
        daemon.profiles.get(name)
        users = daemon.instances.of_profile(name)
        if users and not read_flag(request, "force"):
            raise ProfileInUseError(
                f"Runtime profile {name!r} has {len(users)} instances; delete them first, or use ?force=true.",
                details={"instance_ids": [i.instance_id for i in users]},
            )
        await daemon.profiles.delete(name)  # what still runs is drained and stopped by the pool's keeper
        return Response(status_code=204)

    path = "/v1/admin/runtime-profiles"
    return [
        Route(path, list_runtime_profiles),
        Route(path + "/{runtime_profile:id}", upsert_runtime_profile, methods=["PUT"]),
        Route(path + "/{runtime_profile:id}", delete_runtime_profile, methods=["DELETE"]),
    ]


def _name(request: Request) -> str:
    return check_id(request.path_params["runtime_profile"], "runtime_profile")
