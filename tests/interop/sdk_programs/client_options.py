"""Makes clients with each of their options, and tells what comes of it."""

import httpx
from listener import Listener
from transcript import tell, tell_error

from arp_sdk.daemon import DaemonClient
from arp_sdk.runtime import RuntimeClient
from arp_sdk.tool_registry import ToolRegistryClient

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
CLIENTS = {"daemon": DaemonClient, "runtime": RuntimeClient, "tool_registry": ToolRegistryClient}


def heard_by(listener: Listener, client: DaemonClient) -> list:
    """What comes over the wire for a health call."""
    client.health()
    return listener.take()


with Listener({f"GET {prefix}/v1/health": (200, HEALTH) for prefix in ("", "/behind/a/proxy")}) as listener:
    for name, make in CLIENTS.items():
        tell(f"{name}: an address alone", heard_by(listener, make(listener.url)))
        tell(
            f"{name}: headers",
            heard_by(listener, make(base_url=listener.url, headers={"Authorization": "Bearer x", "X-Trace": "t"})),
        )
        tell(f"{name}: cookies", heard_by(listener, make(base_url=listener.url, cookies={"session": "s"})))
        tell(f"{name}: a path in the address", heard_by(listener, make(base_url=f"{listener.url}/behind/a/proxy")))
        tell(f"{name}: a path with a slash", heard_by(listener, make(base_url=f"{listener.url}/behind/a/proxy/")))
        seen: list[str] = []
        hooks = {"request": [lambda request, seen=seen: seen.append(request.url.path)]}
        make(base_url=listener.url, httpx_args={"event_hooks": hooks}).health()
        tell(f"{name}: httpx_args, event hooks", [seen, listener.take()])
        make(base_url=listener.url, httpx_args={"auth": ("user", "word")}).health()
        tell(f"{name}: httpx_args, auth", listener.take())
        tell(f"{name}: timeout", make(base_url=listener.url, timeout=httpx.Timeout(5.0)).health().status)
        tell(f"{name}: verify_ssl", make(base_url=listener.url, verify_ssl=False).health().status)
        strict = make(base_url=listener.url, raise_on_unexpected_status=True)
        tell(f"{name}: raise_on_unexpected_status", strict.health().status)
        tell_error(f"{name}: no address", make)
        tell(f"{name}: twice on one client", [strict.health().status, strict.version is not None])
        listener.take()

    moved = {"GET /v1/health": (307, {"location": f"{listener.url}/elsewhere"}), "GET /elsewhere": (200, HEALTH)}
    listener.answers.update(moved)
    followed = DaemonClient(base_url=listener.url, follow_redirects=True)
    tell("follow_redirects", [followed.health().status, [heard["asked"] for heard in listener.take()]])
