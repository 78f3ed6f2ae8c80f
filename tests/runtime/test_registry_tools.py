"""The tools of an ARP v1 tool registry are tools like any other, whatever the registry does."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from arp_runtime.errors import ToolError
from arp_runtime.tools import registry as registry_tools
from arp_runtime.tools.loading import open_tools
from arp_runtime.tools.registry import RegistryTool, RegistryUnavailableError, open_registry
from runtime.scene import story
from runtime.streams import execute
from support.listening import listening
from support.runtime import running_runtime
from support.tool_registry import FakeRegistry, definition, running_registry

if TYPE_CHECKING:
    from arp_runtime.agents.context import AgentContext
    from runtime.scene import Story


async def _call(registry: FakeRegistry, tool_id: str, args: dict[str, Any]) -> tuple[Any, Story]:
    """What an agent gets from one call, a ToolError included, and the run's story."""
    got: list[Any] = []

    async def agent(context: AgentContext) -> None:
        try:
            got.append(await context.tools.call(tool_id, args))
        except ToolError as error:
            got.append(error)

    async with open_registry(registry.url) as tools:
        told = await story(agent, tools=[tool.tool for tool in tools.values()])
    assert told.result.ok
    return got[0], told


async def test_a_registrys_tool_is_called_where_it_is() -> None:
    """With an id of the call, and the run that it is made for."""
    async with running_registry() as registry:
        result, told = await _call(registry, "upper", {"text": "hello"})
    assert result == {"text": "HELLO"}
    [call] = registry.calls
    assert call.pop("invocation_id")
    context = {"run_id": told.status.run_id, "call_id": "call_1"}
    assert call == {"tool_id": "upper", "args": {"text": "hello"}, "context": context}


async def test_arguments_are_checked_before_the_registry_is_asked() -> None:
    """By the schema that it gave."""
    async with running_registry() as registry:
        error, _ = await _call(registry, "upper", {"text": 3})
    assert error.code == "invalid_tool_arguments"
    assert registry.calls == []


@pytest.mark.parametrize(
    ("tool_id", "code", "words"),
    [
        ("fails", "tool_failed", "fails: no_luck: Not today."),
        ("lies", "invalid_tool_result", "the answer to another call"),
        ("confused", "invalid_tool_result", "no answer of a tool registry"),
        ("broken", "tool_failed", "internal_error: It broke."),
        ("moved", "invalid_tool_result", "status 307"),
        ("huge", "invalid_tool_result", "over 8388608 bytes"),
        ("packed", "invalid_tool_result", "packed (gzip)"),
    ],
)
async def test_whatever_a_registry_answers_the_run_goes_on(tool_id: str, code: str, words: str) -> None:
    """A failed call is a `tool_result` with an error; a redirect is not followed."""
    async with running_registry() as registry:
        error, told = await _call(registry, tool_id, {})
    assert error.code == code
    assert words in error.message
    assert [data["error"]["code"] for data in told.data_of("tool_result")] == [code]


async def test_a_registry_that_hangs_costs_a_call_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more."""
    monkeypatch.setattr(RegistryTool, "timeout_s", 0.05)
    async with running_registry() as registry:
        error, _ = await _call(registry, "hangs", {})
    assert error.code == "tool_timeout"


async def test_a_registry_that_is_gone_fails_the_call() -> None:
    """The list of its tools is from before."""

    async def agent(context: AgentContext) -> None:
        with pytest.raises(ToolError, match="connection_failed"):
            await context.tools.call("upper", {"text": "x"})

    async with AsyncExitStack() as stack:
        async with running_registry() as registry:
            tools = await stack.enter_async_context(open_registry(registry.url))
        assert (await story(agent, tools=[tool.tool for tool in tools.values()])).result.ok


async def test_a_tool_that_makes_no_sense_is_left_out() -> None:
    """The others are there."""
    tools = [definition("good"), definition("bad", input_schema={"type": "objekt"}), definition("good")]
    async with running_registry(FakeRegistry(tools=tools)) as registry, open_registry(registry.url) as offered:
        assert list(offered) == ["good"]


async def test_the_token_goes_to_the_registry_alone() -> None:
    """As a bearer token."""
    async with running_registry() as registry, open_registry(registry.url, "s3cret"):
        assert registry.authorization == ["Bearer s3cret"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1/", "no http or https address"),
        ("nonsense", "no http or https address"),
        ("http://user:pass@127.0.0.1/", "no user"),
        ("http://100.100.100.200/", "a metadata service"),
        ("http://[fe80::1]:8000/", "a link-local address"),
        ("http://0.0.0.0:8000/", "no address"),
        ("http://[::ffff:169.254.169.254]/", "a link-local address"),
    ],
)
async def test_an_address_that_is_never_called_is_refused(url: str, words: str) -> None:
    """Before anything is sent."""
    with pytest.raises(RegistryUnavailableError, match=words):
        async with open_registry(url):
            pass


async def test_a_name_that_leads_to_a_link_local_address_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is called."""

    async def getaddrinfo(*_args: Any, **_options: Any) -> list[Any]:
        return [(None, None, None, "", ("169.254.1.1", 0))]

    monkeypatch.setattr("anyio.getaddrinfo", getaddrinfo)
    with pytest.raises(RegistryUnavailableError, match="a link-local address"):
        async with open_registry("http://tools.example/"):
            pass


@pytest.mark.parametrize("answer", [{"tools": []}, [{"tool_id": "x"}], "text"])
async def test_what_is_no_registry_is_refused(answer: Any) -> None:
    """It is not waited for: it answers."""
    async with running_registry(FakeRegistry(tools=answer)) as registry:
        with pytest.raises(RegistryUnavailableError, match="not what the contract promises"):
            async with open_registry(registry.url):
                pass


async def test_a_registry_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds of patience."""
    monkeypatch.setattr(registry_tools, "_PATIENCE_S", 0.1)
    with listening() as (url, _), pytest.raises(RegistryUnavailableError, match="nobody answers"):
        async with open_registry(url):
            pass


async def test_what_is_here_wins_over_the_registry() -> None:
    """And the registry over what is built in."""
    tools = [definition("clock"), definition("mine")]
    async with running_registry(FakeRegistry(tools=tools)) as registry:
        async with open_tools({}, registry.url) as offered:
            own = {"mine": offered["echo"]}
        async with open_tools(own, registry.url) as offered:
            origins = {tool_id: tool.origin for tool_id, tool in offered.items()}
    assert origins == {"calculator": "built in", "clock": registry.url, "echo": "built in", "mine": "built in"}


@pytest.mark.parametrize("variable", ["ARP_TOOL_REGISTRY_URL", "ARP_RUNTIME_TOOL_REGISTRY_URL"])
async def test_a_served_run_uses_the_registry_that_the_environment_names(variable: str) -> None:
    """As a profile's `tool_registry_url` has it, under the run's tool_policy."""
    asked = {"goal": "", "data": {"tool_id": "upper", "args": {"text": "hello"}}}
    async with (
        running_registry() as registry,
        running_runtime(env={variable: registry.url}) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        told = (await execute(client, "", input=asked))[-1].data["data"]
        assert told["output"]["answer"] == "HELLO"
        denied = (await execute(client, "", input=asked, tool_policy={"deny_tool_ids": ["upper"]}))[-1].data["data"]
        assert denied["error"]["code"] == "tool_denied"
    assert len(registry.calls) == 1
