"""Runs on their way in: many at once, and one sent many times."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    import httpx

    from support.daemon import RunningDaemon

_ADD: dict[str, Any] = {"input": {"goal": "What is 1+1?"}}


async def _submit(daemon: RunningDaemon, body: dict[str, Any], *keys: str) -> httpx.Response:
    headers = [("Idempotency-Key", key) for key in keys]
    return await daemon.client.post("/v1/runs", json=body, headers=headers)


def _error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def _count(daemon: RunningDaemon) -> int:
    """How many runs there are, of whomever."""
    page, count = "", 0
    while True:
        listed = await daemon.get(f"/v1/runs?page_size=1000{page}")
        count += len(listed["runs"])
        token = listed["pagination"].get("next_page_token")
        if token is None:
            return count
        page = f"&page_token={token}"


async def test_the_same_key_with_an_equal_request_is_the_same_run(daemon: RunningDaemon) -> None:
    """Also without a run_id, after the run's end, and after the daemon's; another request is a 409 of its own."""
    before = await _count(daemon)
    first = (await _submit(daemon, _ADD, "same-1")).json()["run_id"]
    assert (await _submit(daemon, {**_ADD, "run_id": first}, "same-1")).json()["run_id"] == first
    await daemon.end(first)
    assert (await _submit(daemon, _ADD, "same-1")).json()["state"] == "succeeded"
    await daemon.kill()
    await daemon.start()
    assert (await _submit(daemon, _ADD, "same-1")).json()["run_id"] == first
    other = await _submit(daemon, {"input": {"goal": "another"}}, "same-1")
    assert _error(other) == (409, "idempotency_key_conflict")
    assert other.json()["error"]["details"] == {"run_id": first}
    assert _error(await _submit(daemon, {**_ADD, "run_id": "of-another"}, "same-1")) == (
        409,
        "idempotency_key_conflict",
    )
    assert await _count(daemon) == before + 1
    assert (await _submit(daemon, _ADD, "same-2")).json()["run_id"] != first


async def test_beside_a_key_the_run_id_counts_as_ever(shared_daemon: RunningDaemon) -> None:
    """An id that is taken is the same run or a conflict, with whatever key it comes again."""
    before = await _count(shared_daemon)
    body = {**_ADD, "run_id": "mine"}
    for key in ("k-1", "k-1", "k-2"):
        assert (await _submit(shared_daemon, body, key)).json()["run_id"] == "mine"
    assert _error(await _submit(shared_daemon, {**body, "input": {"goal": "x"}}, "k-3")) == (409, "run_conflict")
    assert await _count(shared_daemon) == before + 1


async def test_two_hundred_clients_with_one_key_make_one_run(shared_daemon: RunningDaemon) -> None:
    """None of them gives an id; all get 202 and the same run."""
    before = await _count(shared_daemon)
    answers: list[tuple[int, str]] = []

    async def submit() -> None:
        response = await _submit(shared_daemon, _ADD, "one")
        answers.append((response.status_code, response.json()["run_id"]))

    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(submit)
    assert len(answers) == 200
    [(status, run_id)] = set(answers)
    assert status == 202
    await shared_daemon.end(run_id)
    assert await _count(shared_daemon) == before + 1


async def test_what_is_no_key_is_refused(shared_daemon: RunningDaemon) -> None:
    """Empty, with a space, too long, twice, or not ASCII: 400, and no run is made."""
    before = await _count(shared_daemon)
    for keys in ([b""], [b"a b"], [b"k" * 256], [b"a", b"b"], [b"\xfc"]):
        headers = [(b"Idempotency-Key", key) for key in keys]
        assert _error(await shared_daemon.client.post("/v1/runs", json=_ADD, headers=headers)) == (
            400,
            "invalid_request",
        )
    longest = await _submit(shared_daemon, _ADD, "~" * 255)
    assert longest.status_code == 202
    assert await _count(shared_daemon) == before + 1


async def test_each_of_a_batch_is_answered_as_if_it_had_come_alone(shared_daemon: RunningDaemon) -> None:
    """In the order of the request: taken, the same again, a conflict, and what is wrong by its code."""
    before = await _count(shared_daemon)
    await shared_daemon.submit("What is 1+1?", run_id="known")
    ceilings: dict[str, Any] = {"driver": "runtime", "template": "arp_runtime.cli:main", "max_steps": 3}
    await shared_daemon.put_profile("low", **ceilings)
    runs = [
        {**_ADD, "run_id": "first"},
        {"input": {"gaol": "x"}},
        {**_ADD, "run_id": "known"},
        {"input": {"goal": "another"}, "run_id": "known"},
        {**_ADD, "run_id": "a/b"},
        {**_ADD, "run_id": "first"},
        {"input": {"goal": "x"}, "run_id": "first"},
        {**_ADD, "runtime_selector": {"runtime_profile": "nobody"}},
        {**_ADD, "runtime_selector": {"runtime_profile": "low"}, "limits": {"max_steps": 4}},
        7,
        _ADD,
    ]
    response = await shared_daemon.client.post("/v1/runs:batch", json={"runs": runs})
    assert response.status_code == 200
    items = response.json()["results"]
    told = [item["status"]["run_id"] if "status" in item else item["error"]["code"] for item in items]
    assert told[:-1] == [
        "first",
        "invalid_request",
        "known",
        "run_conflict",
        "invalid_request",
        "first",
        "run_conflict",
        "runtime_profile_not_found",
        "invalid_request",
        "invalid_request",
    ]
    assert items[8]["error"]["details"]["place"] == "$.limits.max_steps"
    for run_id in ("first", "known", told[-1]):
        assert (await shared_daemon.end(run_id))["state"] == "succeeded"
    assert await _count(shared_daemon) == before + 3


async def test_a_batch_has_bounds_and_no_key(shared_daemon: RunningDaemon) -> None:
    """None, or more than a thousand, is refused whole; so is a key, which would be of nobody knows which run."""
    before = await _count(shared_daemon)
    batch = partial(shared_daemon.client.post, "/v1/runs:batch")
    for runs in ([], [_ADD] * 1001):
        assert _error(await batch(json={"runs": runs})) == (400, "invalid_request")
    assert _error(await batch(json={"runs": [_ADD]}, headers={"Idempotency-Key": "k"})) == (400, "invalid_request")
    assert await _count(shared_daemon) == before


async def test_a_run_that_finds_a_slot_is_running_in_its_answer_and_outlives_the_daemon(daemon: RunningDaemon) -> None:
    """Claimed with the same commit, it is not queued; a daemon that is killed at once leaves it to the next one."""
    await daemon.end(await daemon.submit("What is 1+1?"))
    for number in range(2):
        status = (await _submit(daemon, {**_ADD, "run_id": f"r-{number}"})).json()
        assert status["state"] == "running"
        assert status["runtime_instance_id"] == (await daemon.instances())[0]["instance_id"]
        await daemon.kill()
        await daemon.start()
        end = await daemon.end(f"r-{number}")
        assert (end["state"], end["started_at"]) == ("succeeded", status["started_at"])
        types = [entry["type"] for entry in (await daemon.get(f"/v1/runs/r-{number}/trace"))["events"]]
        assert types[:2] == ["run.queued", "run.dispatched"]
        assert types.count("run.dispatched") == 1


async def test_a_batch_outlives_the_daemon(daemon: RunningDaemon) -> None:
    """Answered means stored: what a daemon that is killed at once had taken, the next one finishes."""
    before = await _count(daemon)
    runs = [{"run_id": f"b-{n}", "input": {"goal": "What is 1+1?"}} for n in range(250)]
    response = await daemon.client.post("/v1/runs:batch", json={"runs": runs})
    assert {item["status"]["state"] for item in response.json()["results"]} == {"queued"}
    await daemon.kill()
    await daemon.start()
    for number in (249, 100, 0):
        assert (await daemon.end(f"b-{number}"))["state"] == "succeeded"
    assert await _count(daemon) == before + 250
