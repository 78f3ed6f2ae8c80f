"""Runtime profiles, the safe list: list, upsert, restart, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, structs
from starlette.responses import Response
from starlette.routing import Route

from arp_daemon.creation import launch_details
from arp_daemon.errors import InvalidProfileError, ProfileInUseError
from arp_daemon.instance import Replacement
from arp_daemon.profile_view import RESTART
from arp_daemon.routes.query import find_grace_s, find_number, read_flag
from arp_model import Pagination, RuntimeProfile, RuntimeProfileListResponse, RuntimeProfileUpsertRequest
from arp_service.body import read_struct
from arp_service.ids import check_id
from arp_service.paging import page_token, read_page
from arp_service.responses import StructResponse

if TYPE_CHECKING:
    from starlette.requests import Request

    from arp_daemon.daemon import Daemon

_PAGES_OF = "profiles"
_MAX_AT_ONCE = 1000


def profile_routes(daemon: Daemon) -> list[Route]:
    """The routes of runtime profiles, bound to a daemon."""

    def view(profile: RuntimeProfile) -> RuntimeProfile:
        """The profile, with how its last restart goes."""
        shown, restart = daemon.profiles.view(profile), daemon.restarts.view(profile.runtime_profile)
        if restart is None:
            return shown
        extensions = {} if shown.extensions is UNSET else shown.extensions
        return structs.replace(shown, extensions={**extensions, RESTART: restart})

    async def list_runtime_profiles(request: Request) -> Response:
        page = read_page(request, _PAGES_OF)
        found = daemon.profiles.list_after(page.after, page.size + 1)
        shown = found[: page.size]
        more = len(found) > page.size
        pagination = Pagination(
            page_size=page.size,
            next_page_token=page_token(_PAGES_OF, shown[-1].runtime_profile) if more else UNSET,
        )
        views = [view(profile) for profile in shown]
        return StructResponse(RuntimeProfileListResponse(profiles=views, pagination=pagination))

    async def upsert_runtime_profile(request: Request) -> Response:
        name = _name(request)
        body = await read_struct(request, RuntimeProfileUpsertRequest)
        if body == RuntimeProfileUpsertRequest():
            # Allowed by the schema, but it would tell nobody anything: arp-conformance 0.2.6 expects a refusal too.
            raise InvalidProfileError("$: an empty profile says nothing; give at least a description.")
        return StructResponse(view(await daemon.profiles.upsert(name, body)))

    async def delete_runtime_profile(request: Request) -> Response:
        name, force = _name(request), read_flag(request, "force")
        daemon.profiles.get(name)
        users = daemon.instances.of_profile(name)
        if users and not force:
            raise ProfileInUseError(
                f"Runtime profile {name!r} has {len(users)} instances; delete them first, or use ?force=true.",
                details={"instance_ids": [i.instance_id for i in users]},
            )
        daemon.pool.forget(name)
        await daemon.profiles.delete(name)  # what still runs is drained and stopped by the pool's keeper
        return Response(status_code=204)

    async def restart_runtime_profile(request: Request) -> Response:
        daemon.stop.check()
        name, only_outdated = _name(request), read_flag(request, "only_outdated")
        at_once = find_number(request, "max_unavailable", least=1, most=_MAX_AT_ONCE) or 1
        how = Replacement(at_once, find_grace_s(request))
        profile = daemon.profiles.get(name)
        launch_details(profile)
        await daemon.restarts.begin(profile, how, only_outdated=only_outdated)
        return StructResponse(view(profile), status_code=202)

    path = "/v1/admin/runtime-profiles"
    return [
        Route(path, list_runtime_profiles),
        Route(path + "/{runtime_profile:id}", upsert_runtime_profile, methods=["PUT"]),
        Route(path + "/{runtime_profile:id}", delete_runtime_profile, methods=["DELETE"]),
        Route(path + "/{runtime_profile:id}:restart", restart_runtime_profile, methods=["POST"]),
    ]


def _name(request: Request) -> str:
    return check_id(request.path_params["runtime_profile"], "runtime_profile")
