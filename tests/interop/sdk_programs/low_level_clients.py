"""Makes the clients of `arp_sdk.clients`, and gives them to the facades."""

import asyncio

import httpx
from listener import Listener
from transcript import tell, tell_error

from arp_sdk import clients
from arp_sdk.daemon import DaemonClient
from arp_sdk.runtime import RuntimeClient
from arp_sdk.tool_registry import ToolRegistryClient

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
FACADES = {
    "daemon": (DaemonClient, clients.DaemonClient, clients.DaemonAuthenticatedClient),
    "runtime": (RuntimeClient, clients.RuntimeClient, clients.RuntimeAuthenticatedClient),
    "tool_registry": (ToolRegistryClient, clients.ToolRegistryClient, clients.ToolRegistryAuthenticatedClient),
}


async def ask(client: clients.DaemonClient) -> int:
    """What an async httpx client answers."""
    async with client as entered:
        answer = await entered.get_async_httpx_client().get("/v1/health")
    return answer.status_code


def meet(name: str, listener: Listener) -> None:
    """Use a facade, the client of its own, and the one with a token, in each way."""
    facade, make, make_authenticated = FACADES[name]
    url = listener.url

    def heard_by(client: object) -> list:
        """What comes over the wire for a health call of the facade on a client."""
        facade(client=client).health()
        return listener.take()

    low = make(url)
    tell(f"{name}: an address alone", [heard_by(low), low.raise_on_unexpected_status])
    tell(f"{name}: raw_client", facade(client=low).raw_client is low)
    options = {"headers": {"x-a": "1"}, "cookies": {"c": "1"}, "timeout": httpx.Timeout(5.0), "verify_ssl": False}
    low = make(base_url=url, **options, raise_on_unexpected_status=True, follow_redirects=True)
    tell(f"{name}: options", [heard_by(low), low.raise_on_unexpected_status])
    tell(f"{name}: with_headers", heard_by(low.with_headers({"x-b": "2"})))
    tell(f"{name}: with_headers over others", heard_by(make(url, headers={"x-a": "1"}).with_headers({"x-a": "2"})))
    tell(f"{name}: with_cookies", heard_by(make(url, cookies={"c": "1"}).with_cookies({"d": "2"})))
    tell(f"{name}: with_timeout", heard_by(make(url).with_timeout(httpx.Timeout(3.0))))
    used = make(url)
    heard_by(used)
    used.with_headers({"x-late": "1"})
    tell(f"{name}: with_headers on one in use", heard_by(used))

    tell(f"{name}: a token", heard_by(make_authenticated(url, "secret")))
    token = make_authenticated(base_url=url, token="secret", prefix="Token", auth_header_name="x-key")
    tell(f"{name}: a token elsewhere", heard_by(token))
    bare = make_authenticated(url, token="secret", prefix="", headers={"x-a": "1"})
    tell(f"{name}: a token without a prefix", heard_by(bare))
    tell(f"{name}: a token with headers", heard_by(make_authenticated(url, "s").with_headers({"x-b": "2"})))

    low = make(url, httpx_args={"auth": ("user", "word")})
    tell(f"{name}: httpx_args", heard_by(low))
    under = low.get_httpx_client()
    same = under is low.get_httpx_client()
    tell(f"{name}: get_httpx_client", [isinstance(under, httpx.Client), same, under.get("/v1/health").status_code])
    listener.take()
    mine = httpx.Client(base_url=url, headers={"x-mine": "1"})
    tell(f"{name}: set_httpx_client", [low.set_httpx_client(mine) is low, low.get_httpx_client() is mine])
    tell(f"{name}: set_httpx_client, heard", heard_by(low))
    with make(url) as entered:
        tell(f"{name}: with", heard_by(entered))
    tell_error(f"{name}: with, afterwards", facade(client=entered).health)
    tell(f"{name}: async with", asyncio.run(ask(make(url, headers={"x-a": "1"}))))
    tell(f"{name}: async, heard", listener.take())
    low = make(url)
    tell(f"{name}: async client", isinstance(low.get_async_httpx_client(), httpx.AsyncClient))
    tell(f"{name}: set_async_httpx_client", low.set_async_httpx_client(httpx.AsyncClient()) is low)
    tell_error(f"{name}: no address", make)
    tell_error(f"{name}: no token", lambda: make_authenticated(url))


with Listener({"GET /v1/health": (200, HEALTH)}) as heard:
    for service in FACADES:
        meet(service, heard)
