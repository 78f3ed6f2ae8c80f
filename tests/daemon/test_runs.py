"""Runs through a real daemon and a real runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

if TYPE_CHECKING:
    from support.daemon import RunningDaemon


@pytest.mark.own_daemon
async def test_a_fresh_daemon_serves_its_first_run_without_any_set_up(daemon: RunningDaemon) -> None:
    """The built-in profile launches our runtime, which works on the goal."""
    run_id = await daemon.submit("What is (19*23)?")
    result = await daemon.result(run_id)
    assert result["ok"] is True
    assert "437" in result["output"]["answer"]
    status = await daemon.get(f"/v1/runs/{run_id}")
    assert status["state"] == "succeeded"
    assert status["started_at"] <= status["ended_at"]
    assert [i["instance_id"] for i in await daemon.instances()] == [status["runtime_instance_id"]]


async def test_events_count_from_zero_and_the_last_one_brings_the_result(daemon: RunningDaemon) -> None:
    """seq has no gap, exactly one last event comes, and its data is the result without the run id."""
    run_id = await daemon.submit("What is 2+3?")
    events = await daemon.events(run_id)
    assert [e["seq"] for e in events] == list(range(len(events)))
    assert [e["type"] in {"final", "error"} for e in events] == [False] * (len(events) - 1) + [True]
    result = await daemon.get(f"/v1/runs/{run_id}/result")
    assert {"run_id": run_id, **events[-1]["data"]} == result


async def test_a_watcher_that_comes_back_gets_exactly_the_rest(daemon: RunningDaemon) -> None:
    """Resuming after any seq gives what follows it, live or stored."""
    run_id = await daemon.submit("What is 2+3?")
    events = await daemon.events(run_id)
    for seen in range(-1, len(events)):
        assert await daemon.events(run_id, after=seen) == events[seen + 1 :]


async def test_many_runs_at_once_all_succeed(daemon: RunningDaemon) -> None:
    """Runs execute concurrently, each with its own answer."""
    answers: dict[int, str] = {}

    async def ask(number: int) -> None:
        result = await daemon.result(await daemon.submit(f"What is {number}*2?"))
        answers[number] = result["output"]["answer"]

    async with anyio.create_task_group() as tasks:
        for number in range(30):
            tasks.start_soon(ask, number)
    assert all(str(number * 2) in answers[number] for number in range(30))


async def test_a_goal_that_fails_is_a_failed_run_with_its_error(daemon: RunningDaemon) -> None:
    """ok is false, the state failed, and the error has a code and a message."""
    run_id = await daemon.submit("What is 1/0?")
    result = await daemon.result(run_id)
    assert result["ok"] is False
    assert result["error"]["code"]
    assert (await daemon.get(f"/v1/runs/{run_id}"))["state"] == "failed"


async def test_a_running_run_is_cancelled_for_real(daemon: RunningDaemon) -> None:
    """The state turns canceled, the last event says so, and cancelling again changes nothing."""
    run_id = await daemon.submit("wait 60 seconds")
    await daemon.until_event(run_id, "step")
    for _ in range(2):
        assert (await daemon.client.post(f"/v1/runs/{run_id}:cancel")).is_success
    events = await daemon.events(run_id)
    assert events[-1]["type"] == "error"
    assert events[-1]["data"]["error"]["code"] == "canceled"
    before = await daemon.get(f"/v1/runs/{run_id}")
    assert before["state"] == "canceled"
    assert (await daemon.client.post(f"/v1/runs/{run_id}:cancel")).json() == before
    assert (await daemon.instances())[0]["extensions"]["arp.runs"] == 0


async def test_a_queued_run_is_cancelled_at_once(daemon: RunningDaemon) -> None:
    """It never starts; the daemon writes its one event."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    first = await daemon.submit("wait 60 seconds")
    await daemon.until_event(first, "step")
    second = await daemon.submit("wait 60 seconds")
    status = (await daemon.client.post(f"/v1/runs/{second}:cancel")).json()
    assert status["state"] == "canceled"
    assert "started_at" not in status
    assert [e["data"]["error"]["code"] for e in await daemon.events(second)] == ["canceled"]


async def test_runs_of_a_full_instance_wait_and_then_go_in_order(daemon: RunningDaemon) -> None:
    """A queued run starts when a slot frees, first come first served."""
    await daemon.put_profile(driver="runtime", template="arp_runtime.cli:main", max=1, concurrency=1)
    run_ids = [await daemon.submit(f"What is {n}+1?") for n in range(5)]
    statuses = [await daemon.end(run_id) for run_id in run_ids]
    starts = [status["started_at"] for status in statuses]
    assert starts == sorted(starts)


async def test_the_result_of_a_run_that_goes_on_is_a_conflict_to_be_retried(daemon: RunningDaemon) -> None:
    """409 run_not_finished, retryable."""
    run_id = await daemon.submit("wait 60 seconds")
    response = await daemon.client.get(f"/v1/runs/{run_id}/result")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["retryable"]) == (409, "run_not_finished", True)


async def test_the_same_id_with_an_equal_request_is_the_same_run(daemon: RunningDaemon) -> None:
    """Sent again, also at once and in any order of keys: one run. With another request: 409."""
    body = {"run_id": "the-same", "input": {"goal": "What is 1+1?", "data": {"a": 1, "b": 2}}}
    again = {"input": {"data": {"b": 2, "a": 1}, "goal": "What is 1+1?"}, "run_id": "the-same"}
    answers: list[Any] = []

    async def send(json: dict[str, Any]) -> None:
        answers.append(await daemon.client.post("/v1/runs", json=json))

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(send, body)
            tasks.start_soon(send, again)
    assert {a.status_code for a in answers} == {202}
    await daemon.end("the-same")
    listed = [run["run_id"] for run in (await daemon.get("/v1/runs?page_size=20"))["runs"]]
    assert listed.count("the-same") == 1
    other = await daemon.client.post("/v1/runs", json={"run_id": "the-same", "input": {"goal": "another"}})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "run_conflict")


async def test_lists_are_newest_first_and_pages_do_not_shift(daemon: RunningDaemon) -> None:
    """Runs that arrive while one pages neither repeat nor hide any."""
    run_ids = [await daemon.submit("What is 1+1?") for _ in range(7)]
    first = await daemon.get("/v1/runs?page_size=3")
    await daemon.submit("What is 1+1?")
    token = first["pagination"]["next_page_token"]
    second = await daemon.get(f"/v1/runs?page_size=3&page_token={token}")
    rest = await daemon.get(f"/v1/runs?page_size=1000&page_token={second['pagination']['next_page_token']}")
    listed = [run["run_id"] for page in (first, second, rest) for run in page["runs"]]
    assert listed[:7] == run_ids[::-1]
    assert len(listed) == len(set(listed))
    assert "next_page_token" not in rest["pagination"]


async def test_the_trace_tells_the_story(daemon: RunningDaemon) -> None:
    """Queued, dispatched, what happened, and the end."""
    run_id = await daemon.submit("What is 1+1?")
    await daemon.end(run_id)
    entries = (await daemon.get(f"/v1/runs/{run_id}/trace"))["events"]
    types = [entry["type"] for entry in entries]
    assert types[:2] == ["run.queued", "run.dispatched"]
    assert types[-1] == "run.succeeded"
    assert "event.tool_call" in types
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))


@pytest.mark.parametrize(
    ("selector", "status", "code"),
    [
        ({"runtime_profile": "no"}, 404, "runtime_profile_not_found"),
        ({"instance_id": "no"}, 404, "instance_not_found"),
        ({"runtime_name": "no"}, 404, "no_matching_instance"),
        ({"runtime_api_endpoint": "http://127.0.0.1:9"}, 404, "no_matching_instance"),
        ({"runtime_profile": "default", "runtime_name": "no"}, 404, "no_matching_instance"),
    ],
)
async def test_a_selector_that_matches_nothing_is_refused(
    daemon: RunningDaemon, selector: dict[str, str], status: int, code: str
) -> None:
    """A clear 4xx, and no run is left behind."""
    before = await daemon.get("/v1/runs")
    response = await daemon.client.post("/v1/runs", json={"input": {"goal": "x"}, "runtime_selector": selector})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert await daemon.get("/v1/runs") == before


async def test_a_selector_that_contradicts_itself_is_refused(daemon: RunningDaemon) -> None:
    """An instance and a profile that it is not of."""
    await daemon.end(await daemon.submit("What is 1+1?"))
    instance_id = (await daemon.instances())[0]["instance_id"]
    selector = {"instance_id": instance_id, "runtime_profile": "other"}
    response = await daemon.client.post("/v1/runs", json={"input": {"goal": "x"}, "runtime_selector": selector})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_selector")


async def test_a_profile_that_cannot_start_fails_its_runs_with_the_reason(daemon: RunningDaemon) -> None:
    """The run says why, with the last words of the process; nothing half-made is left."""
    script = "import sys; sys.exit('no such model')"
    await daemon.put_profile("broken", driver="command", command=["python3", "-c", script])
    run_id = await daemon.submit("x", runtime_selector={"runtime_profile": "broken"})
    error = (await daemon.result(run_id))["error"]
    assert error["code"] == "instance_start_failed"
    assert "no such model" in error["details"]["stderr_tail"]
    assert await daemon.instances() == []
