"""What the tests of the SDK share: a service to call, and both kinds of client to call it with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

import arp_sdk
from sdk.service import Service, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that answers what the test tells it to."""
    with running(Service()) as served:
        yield served


class Caller:
    """Calls a method of a blocking client in a thread, or of an async client by awaiting it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    async def call(
        self, name: str, base_url: str, method: str, *args: Any, options: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        """Call a method of the client `name` (`Daemon`, `Runtime`, `ToolRegistry`) and return its answer.

        `options` are the client's own; unless they say otherwise, it tries once.
        """
        options = {"retries": 0, **(options or {})}
        if self.kind == "async":
            async with getattr(arp_sdk, f"Async{name}Client")(base_url, **options) as client:
                return await getattr(client, method)(*args, **kwargs)

        def call() -> Any:
            with getattr(arp_sdk, f"{name}Client")(base_url, **options) as client:
                return getattr(client, method)(*args, **kwargs)

        return await to_thread.run_sync(call)

    async def follow(self, base_url: str, run_id: str, after: int | None = None, **options: Any) -> list[Any]:
        """Return all events that `iter_run_events` of the daemon's client yields."""
        if self.kind == "async":
            async with arp_sdk.AsyncDaemonClient(base_url, **options) as client:
                return [event async for event in client.iter_run_events(run_id, after)]

        def follow() -> list[Any]:
            with arp_sdk.DaemonClient(base_url, **options) as client:
                return list(client.iter_run_events(run_id, after))

        return await to_thread.run_sync(follow)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Caller:
    """Both kinds of client, one after the other: what holds for one holds for the other."""
    return Caller(request.param)
