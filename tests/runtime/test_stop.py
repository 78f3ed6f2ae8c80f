"""SIGTERM: no new runs, a bounded grace, streams that end cleanly, exit code 0."""

from __future__ import annotations

import anyio
import httpx

from runtime.streams import execute, following, until_stopping
from support.runtime import RunningRuntime, running_runtime


async def _stop_while_following(runtime: RunningRuntime, goal: str) -> tuple[list[str], list[str], int]:
    """Stop a runtime in the middle of a run; return what the run's follower and the feed's saw, and the exit code."""
    seen: dict[str, list[str]] = {"run": [], "feed": []}
    begun = {"run": anyio.Event(), "feed": anyio.Event()}

    async def follow(name: str, path: str) -> None:
        async with following(client, path) as events:
            async for event in events:
                seen[name].append(event.data["data"].get("error", {}).get("code", event.type))
                begun[name].set()

    async with httpx.AsyncClient(base_url=runtime.base_url, timeout=20) as client:
        await client.post("/v1/runs", json={"run_id": "r1", "input": {"goal": goal}})
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, "run", "/v1/runs/r1/events")
                tasks.start_soon(follow, "feed", "/v1/events")
                for event in begun.values():
                    await event.wait()
                code = await runtime.stop()
    return seen["run"], seen["feed"], code


async def test_a_stop_interrupts_what_outlives_the_grace_and_exits_0() -> None:
    """Followers see the last event and a clean end; the log has no traceback."""
    async with running_runtime("--drain-grace-s", "0") as runtime:
        run, feed, code = await _stop_while_following(runtime, "wait 60 seconds")
    assert run == feed == ["step", "interrupted"]
    assert code == 0
    assert "Traceback" not in "".join(runtime.log)


async def test_a_stop_lets_a_run_end_within_the_grace() -> None:
    """It succeeds, and its follower sees that."""
    async with running_runtime("--drain-grace-s", "20") as runtime:
        run, feed, code = await _stop_while_following(runtime, "count to 10")
    assert run == feed == ["step", *["token"] * 10, "final"]
    assert code == 0


async def test_a_stopping_runtime_answers_but_takes_no_new_runs() -> None:
    """503 stopping, retryable, with Retry-After; what is known can still be asked for."""
    async with running_runtime("--drain-grace-s", "20") as runtime:
        async with httpx.AsyncClient(base_url=runtime.base_url, timeout=20) as client:
            await execute(client, "x", run_id="done")
            await client.post("/v1/runs", json={"run_id": "r1", "input": {"goal": "wait 60 seconds"}})
            runtime.process.terminate()
            await until_stopping(client)
            refused = await client.post("/v1/runs", json={"input": {"goal": "x"}})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
            assert refused.json()["error"]["retryable"] is True
            assert int(refused.headers["retry-after"]) >= 1
            batch = await client.post("/v1/runs:batch", json={"runs": [{"input": {"goal": "x"}}]})
            assert batch.json()["results"][0]["error"]["code"] == "stopping"
            assert (await client.get("/v1/runs/done/result")).json()["ok"] is True
            await client.post("/v1/runs/r1:cancel")
        with anyio.fail_after(20):
            assert await runtime.process.wait() == 0


async def test_an_idle_runtime_stops_at_once() -> None:
    """The grace is for runs; without one there is nothing to wait for."""
    async with running_runtime("--drain-grace-s", "600") as runtime:
        assert await runtime.stop() == 0


async def test_a_second_signal_ends_the_grace() -> None:
    """Runs are interrupted at once, followers see it, and the exit code is 0."""
    async with (
        running_runtime("--drain-grace-s", "600") as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=20) as client,
    ):
        await client.post("/v1/runs", json={"run_id": "r1", "input": {"goal": "wait 600 seconds"}})
        async with following(client, "/v1/runs/r1/events") as events:
            runtime.process.terminate()
            await until_stopping(client)
            with anyio.fail_after(20):
                assert await runtime.stop() == 0
                seen = [event.data["data"].get("error", {}).get("code") async for event in events]
    assert seen[-1] == "interrupted"
