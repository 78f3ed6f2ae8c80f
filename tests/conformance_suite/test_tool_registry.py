"""A tool registry is judged like any service: one that is right, and one whose tools are not what they should be."""

from __future__ import annotations

import anyio
from conformance.requirements import requirements_of

from conformance_suite.arp_check import Checked, arp_check
from support.tool_registry import FakeRegistry, definition, running_registry


async def _check(registry: FakeRegistry) -> Checked:
    options = ("--tier=deep", "--ours=skip", "--report=json")
    async with running_registry(registry):
        return await anyio.to_thread.run_sync(lambda: arp_check("tool-registry", registry.url, *options))


async def test_a_registry_that_is_right_meets_everything() -> None:
    """Each requirement of the standard, but for the token that it does not ask for."""
    result = await _check(FakeRegistry())
    expected = {r.id for r in requirements_of("tool-registry", "deep", ("standard",))} - {"auth.challenge"}
    assert result.ids("passed") == expected, result.stdout
    assert result.exit_code == 0


async def test_tools_that_are_not_what_they_should_be_are_told() -> None:
    """An id that is there twice, a schema that is none, a field that no tool has, and results of another call."""
    tools = [
        definition("lies", input_schema={"type": "object", "required": ["x"]}),
        definition("twice"),
        definition("twice", output_schema={"type": "nonsense"}),
    ]
    result = await _check(FakeRegistry(tools=tools))
    assert result.ids("failed") == {"tools.ids", "tools.schemas", "tools.get", "tools.invoke"}, result.stdout
    coloured = await _check(FakeRegistry(tools=[definition("red", colour="red")]))
    assert "tools.list" in coloured.ids("failed")
    assert coloured.exit_code == 1
