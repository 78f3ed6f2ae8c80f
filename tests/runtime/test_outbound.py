"""Where calls to other servers go, and through what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse

from arp_runtime.outbound import NotCallableError, OutboundError, open_client, outbound_errors
from support.listening import listening
from support.serving import served

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def _get(base_url: str, path: str = "/") -> Any:
    async with open_client(base_url, headers={}, silence_s=5, max_answer_bytes=100) as client:
        with outbound_errors():
            return (await client.get(path)).json()


async def _say_host(request: Request, _: Exception) -> Response:
    return JSONResponse({"host": request.headers["host"], "path": request.url.path})


# It answers whatever is asked, also as a proxy is asked.
_APP = Starlette(exception_handlers={404: _say_host})


async def test_a_proxy_is_no_way_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens here is called directly, whatever the environment says."""
    with listening() as (proxy, callers):
        monkeypatch.setenv("http_proxy", proxy)
        async with served(_APP) as server:
            assert await _get(str(server.base_url))
        assert not callers()


async def test_a_proxy_of_the_environment_is_used_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks the name up; a number that is never called is not asked of it either."""
    monkeypatch.delenv("no_proxy", raising=False)
    async with served(_APP) as proxy:
        monkeypatch.setenv("http_proxy", str(proxy.base_url))
        assert (await _get("http://models.example/"))["host"] == "models.example"
        with pytest.raises(NotCallableError, match="link-local"):
            await _get("http://169.254.169.254/")


async def test_a_name_is_connected_to_the_number_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of several that answers; the server sees the name."""
    looked_up = []

    async def getaddrinfo(host: str, *_args: Any, **_options: Any) -> list[Any]:
        looked_up.append(host)
        return [(None, None, None, "", (number, 0)) for number in ("127.0.0.2", "127.0.0.1")]

    async with served(_APP) as server:
        monkeypatch.setattr("anyio.getaddrinfo", getaddrinfo)
        answer = await _get(f"http://tools.example:{server.base_url.port}")
    assert answer["host"] == f"tools.example:{server.base_url.port}"
    assert looked_up == ["tools.example"]


async def test_one_number_that_is_never_called_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads there too is not called at all."""

    async def getaddrinfo(*_args: Any, **_options: Any) -> list[Any]:
        return [(None, None, None, "", (number, 0)) for number in ("127.0.0.1", "169.254.169.254")]

    with listening() as (url, callers):
        monkeypatch.setattr("anyio.getaddrinfo", getaddrinfo)
        with pytest.raises(NotCallableError, match="link-local"):
            await _get(url.replace("127.0.0.1", "tools.example"))
        assert not callers()


async def test_an_answer_is_bounded() -> None:
    """However it comes."""
    async with served(_APP) as server:
        with pytest.raises(OutboundError, match="over 100 bytes"):
            await _get(str(server.base_url), "/" + "x" * 200)
