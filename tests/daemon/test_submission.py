"""Runs on their way in: many at once, and one sent many times."""

from __future__ import annotations

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
    return len((await daemon.get("/v1/runs?page_size=1000"))["runs"])


async def test_the_same_key_with_an_equal_request_is_the_same_run(daemon: RunningDaemon) -> None:
    """Also without a run_id, after the run's end, and after the daemon's; another request is a 409 of its own."""
    first = (await _submit(daemon, _ADD, "k-1")).json()["run_id"]
    assert (await _submit(daemon, {**_ADD, "run_id": first}, "k-1")).json()["run_id"] == first
    await daemon.end(first)
    assert (await _submit(daemon, _ADD, "k-1")).json()["state"] == "succeeded"
    await daemon.kill()
    await daemon.start()
    assert (await _submit(daemon, _ADD, "k-1")).json()["run_id"] == first
    other = await _submit(daemon, {"input": {"goal": "another"}}, "k-1")
    assert _error(other) == (409, "idempotency_key_conflict")
    assert other.json()["error"]["details"] == {"run_id": first}
    assert _error(await _submit(daemon, {**_ADD, "run_id": "mine"}, "k-1")) == (409, "idempotency_key_conflict")
    assert await _count(daemon) == 1
    assert (await _submit(daemon, _ADD, "k-2")).json()["run_id"] != first


async def test_beside_a_key_the_run_id_counts_as_ever(daemon: RunningDaemon) -> None:
    """An id that is taken is the same run or a conflict, with whatever key it comes again."""
    body = {**_ADD, "run_id": "mine"}
    for key in ("k-1", "k-1", "k-2"):
        assert (await _submit(daemon, body, key)).json()["run_id"] == "mine"
    assert _error(await _submit(daemon, {**body, "input": {"goal": "x"}}, "k-3")) == (409, "run_conflict")
    assert await _count(daemon) == 1


async def test_two_hundred_clients_with_one_submission_make_one_run(daemon: RunningDaemon) -> None:
    """Known by its key or by its id: all get 202 and the same run."""
    answers: dict[str, list[tuple[int, str]]] = {"key": [], "id": []}

    async def submit(by: str) -> None:
        body, keys = (_ADD, ["one"]) if by == "key" else ({**_ADD, "run_id": "one"}, [])
        response = await _submit(daemon, body, *keys)
        answers[by].append((response.status_code, response.json()["run_id"]))

    async with anyio.create_task_group() as tasks:
        for number in range(400):
            tasks.start_soon(submit, ("key", "id")[number % 2])
    for given in answers.values():
        assert len(given) == 200
        [(status, run_id)] = set(given)
        assert status == 202
        await daemon.end(run_id)
    assert await _count(daemon) == 2


async def test_what_is_no_key_is_refused(daemon: RunningDaemon) -> None:
    """Empty, with a space, too long, twice, or not ASCII: 400, and no run is made."""
    for keys in ([b""], [b"a b"], [b"k" * 256], [b"a", b"b"], [b"\xfc"]):
        headers = [(b"Idempotency-Key", key) for key in keys]
        assert _error(await daemon.client.post("/v1/runs", json=_ADD, headers=headers)) == (400, "invalid_request")
    longest = await _submit(daemon, _ADD, "~" * 255)
    assert longest.status_code == 202
    assert await _count(daemon) == 1


async def test_each_of_a_batch_is_answered_as_if_it_had_come_alone(daemon: RunningDaemon) -> None:
    """In the order of the request: taken, the same again, a conflict, and what is wrong by its code."""
    await daemon.submit("What is 1+1?", run_id="known")
    ceilings: dict[str, Any] = {"driver": "runtime", "template": "arp_runtime.cli:main", "max_steps": 3}
    await daemon.put_profile("low", **ceilings)
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
    response = await daemon.client.post("/v1/runs:batch", json={"runs": runs})
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
        assert (await daemon.end(run_id))["state"] == "succeeded"
    assert await _count(daemon) == 3


async def test_a_batch_has_bounds_and_no_key(daemon: RunningDaemon) -> None:
    """None, or more than a thousand, is refused whole; so is a key, which would be of nobody knows which run."""
    for runs in ([], [_ADD] * 1001):
        assert _error(await daemon.client.post("/v1/runs:batch", json={"runs": runs})) == (400, "invalid_request")
    with_key = await daemon.client.post("/v1/runs:batch", json={"runs": [_ADD]}, headers={"Idempotency-Key": "k"})
    assert _error(with_key) == (400, "invalid_request")
    assert await _count(daemon) == 0


async def test_a_batch_of_a_thousand_is_run_and_outlives_the_daemon(daemon: RunningDaemon) -> None:
    """Answered means stored: what a daemon that is killed at once had taken, the next one finishes."""
    runs = [{"run_id": f"b-{n}", "input": {"goal": "What is 1+1?"}} for n in range(1000)]
    response = await daemon.client.post("/v1/runs:batch", json={"runs": runs})
    assert {item["status"]["state"] for item in response.json()["results"]} == {"queued"}
    await daemon.kill()
    await daemon.start()
    for number in (999, 500, 0):
        assert (await daemon.end(f"b-{number}"))["state"] == "succeeded"
    assert await _count(daemon) == 1000
