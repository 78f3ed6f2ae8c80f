"""What a profile lets runs take: a bounded queue, ceilings, and another try after a loss."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from arp_daemon.ceilings import Ceilings
from arp_model import RunRequest, RunRequestLimits
from arp_service.errors import InvalidRequestError
from support.daemon import running_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from support.daemon import RunningDaemon

_FORKED: dict[str, Any] = {"driver": "runtime", "template": "arp_runtime.cli:main", "max": 1}


async def test_a_full_queue_refuses_and_has_room_again(daemon: RunningDaemon) -> None:
    """429 queue_full with Retry-After, nothing stored; one that waits already is the same run when it is sent again."""
    await daemon.put_profile("small", **_FORKED, concurrency=1, max_queued=2)
    select = {"runtime_selector": {"runtime_profile": "small"}}
    first = await daemon.submit("wait 60 seconds", **select)
    await daemon.until_event(first, "step")
    queued = [await daemon.submit("What is 1+1?", **select) for _ in range(2)]
    refused = await daemon.client.post("/v1/runs", json={"input": {"goal": "x"}, **select})
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["retryable"]) == (429, "queue_full", True)
    assert refused.headers["Retry-After"]
    again = {"run_id": queued[0], "input": {"goal": "What is 1+1?"}, **select}
    assert (await daemon.client.post("/v1/runs", json=again)).json()["state"] == "queued"
    assert [run["run_id"] for run in (await daemon.get("/v1/runs?page_size=3"))["runs"]] == [*queued[::-1], first]
    await daemon.client.post(f"/v1/runs/{first}:cancel")
    for run_id in queued:
        await daemon.end(run_id)
    await daemon.end(await daemon.submit("What is 1+1?", **select))


async def test_a_queue_never_holds_more_than_it_may(daemon: RunningDaemon) -> None:
    """Of many submissions at once, alone and in a batch, exactly as many are taken as there is room for."""
    await daemon.put_profile("default", **_FORKED, concurrency=1, max_queued=5)
    first = await daemon.submit("wait 60 seconds")
    await daemon.until_event(first, "step")
    body = {"input": {"goal": "wait 60 seconds"}}
    codes: list[str] = []

    async def submit() -> None:
        response = await daemon.client.post("/v1/runs", json=body)
        codes.append(response.json().get("error", {}).get("code", "taken"))

    async def submit_batch() -> None:
        response = await daemon.client.post("/v1/runs:batch", json={"runs": [body] * 10})
        codes.extend(item.get("error", {}).get("code", "taken") for item in response.json()["results"])

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(submit_batch if number % 5 == 0 else submit)
    assert sorted(set(codes)) == ["queue_full", "taken"]
    assert codes.count("taken") == 5
    assert (await daemon.client.post("/v1/runs:cancel", json={"all": True})).json()["count"] == 6


async def test_what_waits_is_bounded_in_bytes_whatever_its_profile(tmp_path: Path) -> None:
    """429 queue_full with Retry-After where the requests hold too much together; room comes with each that leaves."""
    async with running_daemon(tmp_path / "data", "--max-queued-bytes", "10000") as daemon:
        await daemon.put_profile("default", **_FORKED, concurrency=1)
        await daemon.put_profile("other", **_FORKED, concurrency=1)
        for profile in ("default", "other"):
            select = {"runtime_selector": {"runtime_profile": profile}}
            await daemon.until_event(
                await daemon.submit("wait 60 seconds", run_id=f"first-{profile}", **select), "step"
            )
        large = {"goal": "wait 60 seconds", "context": {"text": "x" * 6000}}
        taken = await daemon.client.post("/v1/runs", json={"run_id": "large", "input": large})
        assert taken.status_code == 202
        select = {"runtime_selector": {"runtime_profile": "other"}}
        refused = await daemon.client.post("/v1/runs", json={"input": large, **select})
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["retryable"]) == (429, "queue_full", True)
        assert (error["details"], refused.headers["Retry-After"]) == ({"max_queued_bytes": 10000}, "1")
        await daemon.submit("What is 1+1?", **select)
        await daemon.client.post("/v1/runs/large:cancel")
        assert (await daemon.client.post("/v1/runs", json={"input": large, **select})).status_code == 202
        await daemon.client.post("/v1/runs:cancel", json={"all": True})


async def test_a_run_may_not_reach_over_the_ceilings_and_gets_them_where_it_says_nothing(
    daemon: RunningDaemon,
) -> None:
    """400 by place; and an open limit is the ceiling."""
    await daemon.put_profile("default", **_FORKED, max_steps=1)
    over = {"input": {"goal": "What is 1+1?"}, "limits": {"max_steps": 2}}
    refused = await daemon.client.post("/v1/runs", json=over)
    assert (refused.status_code, refused.json()["error"]["details"]["place"]) == (400, "$.limits.max_steps")
    assert (await daemon.result(await daemon.submit("What is 1+1?")))["error"]["code"] == "limit_exceeded"


async def test_a_lost_run_is_tried_again_as_often_as_its_profile_allows(daemon: RunningDaemon) -> None:
    """The lost attempt is closed by a step event that names it, seq goes on, and the state never goes back."""
    await daemon.put_profile("default", **_FORKED, retries=1)
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    for attempt in (1, 2):
        with_run = [i for i in await daemon.instances() if i["extensions"]["arp.runs"]]
        os.kill(with_run[0]["extensions"]["arp.pid"], signal.SIGKILL)
        async for event in daemon.follow(run_id):
            assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] != "queued"
            if attempt == 1 and event["type"] == "step" and event["data"].get("name") == "plan" and event["seq"] > 1:
                break
    events = await daemon.events(run_id)
    assert [e["seq"] for e in events] == list(range(len(events)))
    lost = [e["data"] for e in events if e["data"].get("name") == "attempt_lost"]
    assert [(data["attempt"], data["reason"]) for data in lost] == [(1, "instance_lost")]
    assert events[-1]["data"]["error"]["code"] == "instance_lost"
    types = [entry["type"] for entry in (await daemon.get(f"/v1/runs/{run_id}/trace"))["events"]]
    assert types.count("run.dispatched") == 2


@pytest.mark.parametrize("limits", [{"timeout_ms": 11}, {"max_steps": 4}, {"max_tokens": 9}])
def test_each_ceiling_names_its_limit(limits: dict[str, int]) -> None:
    """Over 10 ms, 3 steps, 8 tokens."""
    ceilings = Ceilings(timeout_ms=10, max_steps=3, max_tokens=8)
    with pytest.raises(InvalidRequestError, match=next(iter(limits))):
        ceilings.check(RunRequestLimits.from_dict(limits))


def test_ceilings_fill_what_is_open_and_keep_what_is_asked() -> None:
    """A lower limit of the run's own stays."""
    request = RunRequest.from_dict({"input": {"goal": "x"}, "limits": {"max_steps": 2}})
    sent = RunRequest.from_json(Ceilings(timeout_ms=10, max_steps=3).put_on(request.to_json()))
    assert sent.limits == RunRequestLimits(timeout_ms=10, max_steps=2)
    assert Ceilings().put_on(b"as it is") == b"as it is"
