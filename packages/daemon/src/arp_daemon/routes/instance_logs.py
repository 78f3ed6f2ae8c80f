"""What an instance said and says."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.routing import Route

from arp_daemon.instance_logs import InstanceLogs
from arp_service.errors import InvalidRequestError
from arp_service.ids import check_id
from arp_service.streaming import text_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from arp_daemon.daemon import Daemon
    from arp_daemon.launcher.protocol import Stream

_DEFAULT_LINES, _MAX_LINES = 100, 10_000


def instance_log_routes(daemon: Daemon) -> list[Route]:
    """The routes of instances' logs, bound to a daemon."""
    logs = InstanceLogs(daemon.instances, daemon.starter, daemon.stop)

    async def get_instance_logs(request: Request) -> Response:
        instance_id = check_id(request.path_params["instance_id"], "instance_id")
        stream, lines, follow = _read_stream(request), _read_lines(request), _read_follow(request)
        return text_response(await logs.read(instance_id, stream, lines, follow=follow))

    return [Route("/v1/instances/{instance_id:id}/logs", get_instance_logs)]


def _read_stream(request: Request) -> Stream:
    given = request.query_params.get("stream", "stderr")
    if given not in {"stdout", "stderr"}:
        raise InvalidRequestError("stream: use stdout or stderr.")
    return cast("Stream", given)


def _read_lines(request: Request) -> int:
    text = request.query_params.get("lines")
    if text is None:
        return _DEFAULT_LINES
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _MAX_LINES:
        return int(text)
    raise InvalidRequestError(f"lines: use a whole number from 0 to {_MAX_LINES}.")


def _read_follow(request: Request) -> bool:
    given = request.query_params.get("follow", "false")
    if given not in {"true", "false"}:
        raise InvalidRequestError("follow: use true or false.")
    return given == "true"
