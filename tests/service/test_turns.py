"""Whatever is asked for at once is begun a few each turn of the loop, so that what is urgent waits for little."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from arp_service.application import create_app
from arp_service.info import ServiceInfo, info_routes
from arp_service.sqlite import open_database
from arp_service.turns import A_TURN, take_turn

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Message

_MANY = 100


async def _most_in_one_turn(done: list[int]) -> int:
    """Watch a list that grows to `_MANY`, turn by turn of the loop."""
    most, before = 0, 0
    with anyio.fail_after(30):
        while len(done) < _MANY:
            await checkpoint()
            most, before = max(most, len(done) - before), len(done)
    return most


async def test_a_few_are_let_through_each_turn_first_come_first_served() -> None:
    """A hundred that wait together go few by few, in their order; one that has given up takes no place."""
    begun: list[int] = []

    async def work(number: int) -> None:
        await take_turn()
        begun.append(number)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as given_up:
            given_up.cancel()
            await take_turn()
        for number in range(_MANY):
            tasks.start_soon(work, number)
        assert await _most_in_one_turn(begun) == A_TURN
    assert begun == list(range(_MANY))


async def test_writes_of_one_commit_are_answered_a_few_each_turn(tmp_path: Path) -> None:
    """They share a sync; what their tasks do next does not happen all at once."""
    (tmp_path / "migrations").mkdir()
    begun, go_on = threading.Event(), threading.Event()
    written: list[int] = []

    def hold_up(_db: object) -> None:
        begun.set()
        go_on.wait(30)

    async with open_database(tmp_path / "db", tmp_path / "migrations") as database:

        async def write(number: int) -> None:
            await database.write(lambda _db: None)
            written.append(number)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(database.write, hold_up)
            await anyio.to_thread.run_sync(begun.wait, 30)  # what comes now waits for the next commit
            for number in range(_MANY):
                tasks.start_soon(write, number)
            await checkpoint()
            go_on.set()
            assert await _most_in_one_turn(written) == A_TURN


async def test_health_is_not_queued_behind_other_requests() -> None:
    """A hundred requests are there first; health is answered while nearly all of them still wait."""
    answered: list[str] = []

    async def slow(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("x")

    async def nothing() -> list[Any]:
        return []

    routes = [Route("/x", slow), *info_routes(ServiceInfo("x", "arp-service"), nothing)]
    app = create_app(routes, lambda _scope, _headers: None)

    async def ask(path: str) -> None:
        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"localhost")]}

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
                answered.append(path)

        await app({**scope, "query_string": b"", "root_path": ""}, receive, send)

    async with anyio.create_task_group() as tasks:
        for _ in range(_MANY):
            tasks.start_soon(ask, "/x")
        tasks.start_soon(ask, "/v1/health")
    assert answered.index("/v1/health") < _MANY / 4
