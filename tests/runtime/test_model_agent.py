"""The agent `model` works on goals with any chat-completions server, and knows what to do when one misbehaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio.lowlevel
import pytest

from arp_runtime.agents.model import ModelAgent, ModelSettings, client
from arp_runtime.tools.functions import tool
from runtime.scene import ended, events_of, managed, request, story
from support.listening import listening
from support.model_server import (
    KEY,
    answers,
    breaks_off,
    chunk,
    ending,
    fails,
    is_silent,
    never_ends,
    running_model,
    says,
    stays_open,
    streams,
    wants,
)

if TYPE_CHECKING:
    from runtime.scene import Story
    from support.model_server import FakeModel


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short, so that nobody waits for them."""
    monkeypatch.setattr(client, "_BACKOFF_S", 0.001)


def _agent(model: FakeModel, **settings: Any) -> ModelAgent:
    return ModelAgent(ModelSettings(model.url, "small", **{"api_key": KEY, **settings}))


async def _told(model: FakeModel, settings: dict[str, Any] | None = None, **fields: Any) -> Story:
    return await story(_agent(model, **(settings or {})), "Say hello.", **fields)


def _words(told: Story) -> list[str]:
    return [data["text"] for data in told.data_of("token")]


async def test_tokens_are_told_as_they_come_and_make_the_answer() -> None:
    """With what the server counted as usage."""
    async with running_model(says("Hel", "lo", "!")) as model:
        told = await _told(model, settings={"system_prompt": "Be brief."})
    assert told.result.output == {"answer": "Hello!", "model": "small", "finish_reason": "stop"}
    assert _words(told) == ["Hel", "lo", "!"]
    usage = told.result.usage
    assert usage == {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "total_tokens": 13,
        "steps": 1,
        "tool_calls": 0,
        "tokens": 3,
    }
    assert model.authorization == [f"Bearer {KEY}"]
    [sent] = model.requests
    assert (sent["model"], sent["stream"], "max_tokens" in sent) == ("small", True, False)
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say hello."},
    ]


async def test_context_and_data_of_the_run_reach_the_model() -> None:
    """As JSON, under their names."""
    given = {"goal": "Greet.", "context": {"mood": "gay"}, "data": {"name": "Zoë"}}
    async with running_model(says("Hi")) as model:
        await _told(model, input=given)
    text = model.told[1]["content"]
    assert text.startswith("Greet.")
    assert '"mood": "gay"' in text
    assert '"name": "Zoë"' in text


async def test_a_streamed_tool_call_is_made_and_its_result_told() -> None:
    """The loop: model, tools, model; usage is of all turns."""
    script = (wants(("calculator", '{"expression": "19*23"}'), ("echo", '{"text": "hi"}')), says("437"))
    async with running_model(*script) as model:
        told = await _told(model)
    assert told.result.output
    assert told.result.output["answer"] == "437"
    assert [(data["tool_id"], data["args"]) for data in told.data_of("tool_call")] == [
        ("calculator", {"expression": "19*23"}),
        ("echo", {"text": "hi"}),
    ]
    assert told.result.usage
    assert told.result.usage["total_tokens"] == 24
    assert told.result.usage["steps"] == 4
    names = [function["function"]["name"] for function in model.requests[0]["tools"]]
    assert names == ["calculator", "clock", "echo"]
    assistant, first, second = model.told[2:]
    assert [call["function"]["arguments"] for call in assistant["tool_calls"]] == [
        '{"expression": "19*23"}',
        '{"text": "hi"}',
    ]
    assert (first["tool_call_id"], second["tool_call_id"]) == ("id_0", "id_1")
    assert '"text": "437"' in first["content"]


async def test_only_the_tools_that_the_run_may_use_are_offered() -> None:
    """None of them means that the server hears of no tools."""
    async with running_model(says("x")) as model:
        await _told(model, tool_policy={"allow_tool_ids": ["echo"]})
        await _told(model, tool_policy={"allow_tool_ids": []})
        await _told(model, settings={"offers_tools": False})
    first, second, third = model.requests
    assert [function["function"]["name"] for function in first["tools"]] == ["echo"]
    assert "tools" not in second
    assert "tools" not in third


async def test_a_tool_whose_id_no_server_takes_has_another_name_there() -> None:
    """And is found again by it."""

    @tool(tool_id="my.tools.add")
    async def add(a: int, b: int) -> int:
        return a + b

    @tool(tool_id="my_tools.add")
    async def other() -> None:
        return None

    async with running_model(wants(("my_tools_add", '{"a": 1, "b": 2}')), says("3")) as model:
        told = await _told(model, tools=[add, other])
    assert [function["function"]["name"] for function in model.requests[0]["tools"]] == [
        "my_tools_add",
        "my_tools_add_2",
    ]
    assert told.data_of("tool_result")[0]["result"] == 3


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("calculator", '{"expression": 3}', "invalid_tool_arguments"),
        ("calculator", '{"expr', "invalid_tool_arguments"),
        ("calculator", "[]", "invalid_tool_arguments"),
        ("teleport", "{}", "tool_not_found"),
        ("clock", "{}", "tool_denied"),
        ("calculator", '{"expression": "1/0"}', "tool_failed"),
    ],
)
async def test_a_call_that_fails_is_told_to_the_model_which_may_do_better(name: str, arguments: str, code: str) -> None:
    """The run goes on."""
    async with running_model(wants((name, arguments)), says("Sorry.")) as model:
        told = await _told(model, tool_policy={"deny_tool_ids": ["clock"]})
    assert told.result.ok
    assert f'"code": "{code}"' in model.told[-1]["content"]


async def test_a_model_that_only_makes_bad_calls_is_stopped() -> None:
    """After some of them."""
    async with running_model(wants(("calculator", "{}"))) as model:
        assert (await _told(model)).code == "model_stuck"
    assert len(model.requests) == 5


@pytest.mark.parametrize(("limits", "requests"), [({"max_steps": 3}, 2), ({"max_steps": 1}, 1), ({"max_steps": 4}, 2)])
async def test_max_steps_counts_turns_and_calls(limits: dict[str, int], requests: int) -> None:
    """A model that goes on for ever ends there."""
    async with running_model(wants(("echo", '{"text": "x"}'))) as model:
        told = await _told(model, limits=limits)
    assert told.code == "limit_exceeded"
    assert len(model.requests) == requests


async def test_max_tokens_is_asked_of_the_server_and_held() -> None:
    """An answer that the server cut there is one that reached the limit; what was said is kept."""
    async with running_model(says("a", "b", reason="length")) as model:
        told = await _told(model, limits={"max_tokens": 2})
    assert told.code == "limit_exceeded"
    assert told.result.output == {"answer": "ab", "partial": True}
    assert model.requests[0]["max_tokens"] == 2


async def test_max_tokens_holds_for_a_server_that_takes_no_notice() -> None:
    """And over all turns: what the first has taken, the second has no more."""
    async with running_model(says(*"abcd")) as model:
        told = await _told(model, limits={"max_tokens": 3})
    assert (told.code, _words(told)) == ("limit_exceeded", ["a", "b", "c"])
    async with running_model(wants(("echo", '{"text": "x"}')), says(*"ab")) as model:
        assert (await _told(model, limits={"max_tokens": 7})).result.ok
    assert [sent["max_tokens"] for sent in model.requests] == [7, 4]


async def test_an_answer_that_was_cut_elsewhere_says_so() -> None:
    """It is the model's own limit that was reached, and not the run's."""
    async with running_model(says("a", reason="length")) as model:
        for limits in ({}, {"max_tokens": 100}):
            output = (await _told(model, limits=limits)).result.output
            assert output
            assert output["finish_reason"] == "length"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_server_with_a_bad_moment_is_asked_again(status: int) -> None:
    """And the run knows nothing of it."""
    async with running_model(fails(status), fails(status), says("ok")) as model:
        assert (await _told(model)).result.ok
    assert len(model.requests) == 3


async def test_a_server_that_stays_overloaded_fails_the_run() -> None:
    """Another try later may succeed, and the result says so."""
    async with running_model(fails(429, "Slow down.")) as model:
        told = await _told(model)
    assert told.code == "model_unavailable"
    assert told.result.error
    assert told.result.error.retryable is True
    assert "429: Slow down." in told.result.error.message
    assert len(model.requests) == 5


@pytest.mark.parametrize(
    ("header", "limits"), [("3600", {}), ("5", {"timeout_ms": 4000}), ("Fri, 31 Dec 2100 23:59:59 GMT", {})]
)
async def test_a_pause_that_is_too_long_is_not_made(header: str, limits: dict[str, int]) -> None:
    """Neither one beyond a minute, nor one beyond the run's deadline."""
    async with running_model(fails(429, retry_after=header), says("late")) as model:
        assert (await _told(model, limits=limits)).code == "model_unavailable"
    assert len(model.requests) == 1


@pytest.mark.parametrize("header", ["0", "soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400])
async def test_a_pause_that_makes_no_sense_is_none(header: str) -> None:
    """The server is asked again, as without the header."""
    async with running_model(fails(503, retry_after=header), says("ok")) as model:
        assert (await _told(model)).result.ok


async def test_the_pause_that_a_server_asks_for_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the second."""
    pauses = []

    async def sleep(delay: float) -> None:
        pauses.append(delay)

    monkeypatch.setattr("anyio.sleep", sleep)
    async with running_model(fails(429, retry_after="7"), says("ok")) as model:
        assert (await _told(model)).result.ok
    assert pauses == [7.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 307])
async def test_a_server_that_refuses_is_asked_once(status: int) -> None:
    """And its words are in the result, but never the key."""
    async with running_model(fails(status, f"Incorrect API key: {KEY}")) as model:
        told = await _told(model)
    assert told.code == "model_refused"
    assert told.result.error
    assert told.result.error.message == f"The model's server answers {status}: Incorrect API key: ***"
    assert len(model.requests) == 1


def test_the_key_is_not_shown() -> None:
    """However settings come into a log."""
    assert KEY not in repr(ModelSettings("http://127.0.0.1/v1", "small", api_key=KEY))


@pytest.mark.parametrize(
    "answer",
    [
        answers('{"choices": []}', "application/json"),
        answers("<html>", "text/html"),
        streams(b"data: {not json}\n\n"),
        streams(b'data: {"choices": 3}\n\n'),
        streams(b'data: {"choices": [{"delta": {"tool_calls": [{"index": -1}]}}]}\n\n'),
        streams(b"data: " + b"[" * 5000 + b"\n\n"),
        streams(b"data: " + b"x" * (2 * 1024 * 1024)),
        streams(b"data: " + b"x" * 3_000_000 + b"\n\n"),
        streams(chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}), *ending("tool_calls")),
    ],
)
async def test_what_does_not_speak_the_protocol_fails_the_run(answer: Any) -> None:
    """Once: it will not learn it."""
    async with running_model(answer) as model:
        assert (await _told(model)).code == "model_protocol_error"
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "broken",
    [
        streams(chunk({"role": "assistant"})),
        streams(b'data: {"error": {"message": "out of memory"}}\n\n'),
        breaks_off(chunk({"role": "assistant"})),
    ],
)
async def test_a_stream_that_breaks_off_before_the_first_token_is_asked_for_again(broken: Any) -> None:
    """Nobody has seen anything of it."""
    async with running_model(broken, says("ok")) as model:
        assert (await _told(model)).result.ok


@pytest.mark.parametrize(
    "broken", [streams(chunk({"content": "Half"})), breaks_off(chunk({"content": "Half"}), b"data: {")]
)
async def test_a_stream_that_breaks_off_after_a_token_fails_the_run(broken: Any) -> None:
    """What was said is told already; it is kept, and not said twice."""
    async with running_model(broken, says("ok")) as model:
        told = await _told(model)
    assert told.code == "model_unavailable"
    assert told.result.output == {"answer": "Half", "partial": True}
    assert len(model.requests) == 1


async def test_a_stream_may_come_in_any_pieces() -> None:
    """Also with other line ends, comments, and without its last word."""
    whole = b": hi\n\nevent: x\r\n" + chunk({"content": "Grüße\u2028!"}).replace(b"\n", b"\r\n") + ending()[0]
    pieces = [whole[start : start + 3] for start in range(0, len(whole), 3)]
    async with running_model(streams(*pieces)) as model:
        output = (await _told(model)).result.output
    assert output
    assert output["answer"] == "Grüße\u2028!"


async def test_a_server_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while that no model thinks for."""
    monkeypatch.setattr(client, "_SILENCE_S", 0.05)
    async with running_model(is_silent) as model:
        assert (await _told(model)).code == "model_unavailable"


async def test_an_answer_is_over_with_its_last_word() -> None:
    """Whether its server closes it or not."""
    async with running_model(stays_open) as model:
        output = (await _told(model)).result.output
    assert output
    assert output["answer"] == "done"


async def test_a_server_that_is_not_there_fails_the_run() -> None:
    """After some tries."""
    with listening() as (url, _):
        pass
    told = await story(ModelAgent(ModelSettings(f"{url}/v1", "small")), "x")
    assert told.code == "model_unavailable"


async def test_an_address_that_is_never_called_fails_the_run() -> None:
    """At once."""
    told = await story(ModelAgent(ModelSettings("http://169.254.169.254/v1", "small")), "x")
    assert told.code == "model_refused"


async def test_cancelling_a_run_closes_the_connection() -> None:
    """The server sees its client go, and need not go on."""
    async with running_model(never_ends) as model, managed(_agent(model)) as runs:
        run = runs.create(request())
        while len(await events_of(run.log)) < 5:
            await anyio.lowlevel.checkpoint()
        await runs.cancel(run.run_id)
        told = await ended(runs, run.run_id)
        await model.left.wait()
    assert told.code == "canceled"
    assert told.result.output
    assert told.result.output["partial"] is True


async def test_an_answer_without_an_end_is_bounded_by_the_run() -> None:
    """By its time, where it has no other limit."""
    async with running_model(never_ends) as model:
        assert (await _told(model, limits={"timeout_ms": 200})).code == "limit_exceeded"
        await model.left.wait()
