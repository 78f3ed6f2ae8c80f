"""What Prometheus sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from runtime.streams import execute, following

if TYPE_CHECKING:
    import httpx


async def _samples(client: httpx.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        " ".join([sample.name, *sorted(sample.labels.values())]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_runs_events_and_tool_calls_are_counted(client: httpx.AsyncClient) -> None:
    """By state, type and outcome; each is as many more as happened."""
    before = await _samples(client)
    await execute(client, "What is (19*23)?")
    await execute(client, "fail: no luck")
    await execute(client, "What is 1/0?")
    after = await _samples(client)
    more = {name: after[name] - before.get(name, 0) for name in after}
    assert more["arp_runs_taken_total"] == 3
    assert (more["arp_runs_ended_total succeeded"], more["arp_runs_ended_total failed"]) == (1, 2)
    assert more["arp_run_events_total final"] == 1
    assert (more["arp_tool_calls_total calculator ok"], more["arp_tool_calls_total calculator error"]) == (1, 1)
    assert more["arp_run_duration_seconds_count succeeded"] == 1


async def test_what_executes_now_is_shown(client: httpx.AsyncClient) -> None:
    """One more while a run is under way."""
    before = await _samples(client)
    await client.post("/v1/runs", json={"run_id": "metrics", "input": {"goal": "count to 1000 slowly"}})
    async with following(client, "/v1/runs/metrics/events") as events:
        await anext(events)
        assert (await _samples(client))["arp_runs_executing"] == before["arp_runs_executing"] + 1
    await client.post("/v1/runs/metrics:cancel")
    assert (await _samples(client))["arp_runs_executing"] == before["arp_runs_executing"]


async def test_names_that_agents_invent_make_no_labels(client: httpx.AsyncClient) -> None:
    """A tool that does not exist is counted without its name, so that metrics stay bounded."""
    await execute(client, "", input={"goal": "", "data": {"tool_id": "no-such-tool", "args": {}}})
    assert not any("no-such-tool" in name for name in await _samples(client))
