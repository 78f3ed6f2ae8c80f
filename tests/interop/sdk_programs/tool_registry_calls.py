"""Makes every call that a tool registry client has, in each way that it can be made."""

import sys

from transcript import tell, tell_error

from arp_sdk.tool_registry import (
    GetToolRequest,
    HealthRequest,
    InvokeToolRequest,
    ListToolsRequest,
    ToolRegistryClient,
    VersionRequest,
)

_, registry_url = sys.argv
registry = ToolRegistryClient(base_url=registry_url)

tell("health", registry.health().status)
tell("health, by its request", registry.health(HealthRequest()).status)
tell("version", registry.version())
tell("version, by its request", registry.version(VersionRequest()).supported_api_versions)

tools = registry.list_tools()
tell("list_tools", tools)
tell("list_tools, by its request", [tool.tool_id for tool in registry.list_tools(ListToolsRequest())])
tell("a tool's fields", [(tool.name, tool.source, tool.source.value, bool(tool.description)) for tool in tools])
tell("get_tool", registry.get_tool("tool_echo"))
tell("get_tool, by its request", registry.get_tool(GetToolRequest(tool_id="tool_calc")).name)

calculated = registry.invoke_tool(InvokeToolRequest("i1", {"expression": "19*23"}, tool_id="tool_calc"))
tell("invoke_tool", [calculated.invocation_id, calculated.ok, calculated.result, bool(calculated.error)])
by_name = InvokeToolRequest(
    invocation_id="i2",
    args={"text": "Grüße 🌍"},
    tool_name="echo",
    context={"run_id": "r1"},
    caller={"type": "run", "id": "r1"},
    extensions={"com.example.n": 1},
)
tell("invoke_tool by name", registry.invoke_tool(by_name).to_dict()["result"])
failed = registry.invoke_tool(InvokeToolRequest("i3", {"expression": "1/0"}, tool_id="tool_calc"))
tell("a tool that fails", [failed.ok, failed.error.code, failed.error.message])

tell_error("an unknown tool", lambda: registry.get_tool("no-such-tool"))
tell_error("an unknown tool invoked", lambda: registry.invoke_tool(InvokeToolRequest("i4", {}, tool_id="no-such-tool")))
