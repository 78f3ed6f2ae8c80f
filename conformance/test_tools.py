"""Tool registries: what tools there are, and calls of them."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from conformance.goals import not_applicable
from conformance.judgement import NotMetError
from conformance.service import Json, Service, assert_refused, new_id, read, read_any

_CALLS = "/v1/tool-invocations"
_DEFINITION, _RESULT = "tool_registry/tools/tool_definition", "tool_registry/tools/tool_invocation_result"


def _tools(registry: Service) -> list[Json]:
    """All tools; the check does not apply where there are none."""
    listed: list[Json] = read_any(registry.http.get("/v1/tools"), f"{_DEFINITION}[]")
    return listed or not_applicable("the registry has no tools")


def _misfit(tool: Json) -> Json | None:
    """Arguments that do not fit the tool, so that a call of it does no work; None where everything fits."""
    validator = Draft202012Validator(tool["input_schema"])
    candidates: list[Json] = [{}, *({name: {"no": []}} for name in tool["input_schema"].get("properties", {}))]
    return next((args for args in candidates if not validator.is_valid(args)), None)


def _call(registry: Service, **call: Any) -> Json:
    """Call a tool; return the result, which bears the id of the call."""
    body = {"invocation_id": new_id("call"), "args": {}, **call}
    result = read(registry.http.post(_CALLS, json=body), _RESULT)
    if result["invocation_id"] != body["invocation_id"]:
        raise NotMetError(f"the result bears the id of the call, not {result['invocation_id']!r}", "tools.invoke")
    return result


@pytest.mark.requirement("tools.ids")
def test_no_two_tools_have_one_id(tool_registry: Service) -> None:
    """A policy that names a tool means one."""
    ids = [tool["tool_id"] for tool in _tools(tool_registry)]
    assert len(set(ids)) == len(ids), sorted(id_ for id_ in ids if ids.count(id_) > 1)


@pytest.mark.requirement("tools.schemas")
def test_schemas_of_tools_are_schemas(tool_registry: Service) -> None:
    """A caller can check arguments and results against them."""
    for tool in _tools(tool_registry):
        for name in ("input_schema", "output_schema"):
            try:
                Draft202012Validator.check_schema(tool.get(name, {}))
            except SchemaError as exc:
                raise NotMetError(f"{name} of {tool['tool_id']} is a JSON Schema: {exc.message}") from exc


@pytest.mark.requirement("tools.get")
def test_each_tool_can_be_read_by_its_id(tool_registry: Service) -> None:
    """It is the one that is listed."""
    for tool in _tools(tool_registry):
        assert read(tool_registry.http.get(f"/v1/tools/{tool['tool_id']}"), _DEFINITION) == tool


@pytest.mark.requirement("tools.unknown")
def test_a_tool_that_is_not_there_cannot_be_read(tool_registry: Service) -> None:
    """Whoever mistypes an id learns it."""
    assert_refused(tool_registry.http.get(f"/v1/tools/{new_id('nothing')}"))


@pytest.mark.requirement("tools.unknown")
def test_a_tool_that_is_not_there_does_nothing(tool_registry: Service) -> None:
    """A call of it is refused, or its result is not ok."""
    body = {"invocation_id": new_id("call"), "tool_id": new_id("nothing"), "args": {}}
    response = tool_registry.http.post(_CALLS, json=body)
    if response.is_success and read(response, _RESULT)["ok"]:
        raise NotMetError("a call of a tool that does not exist does not succeed")


@pytest.mark.requirement("tools.invoke")
@pytest.mark.parametrize("by", ["tool_id", "tool_name"])
def test_a_call_has_a_result(tool_registry: Service, by: str) -> None:
    """By id and by name; with arguments that do not fit, so that nothing is done."""
    for tool in _tools(tool_registry):
        args = _misfit(tool)
        if args is not None:
            _call(tool_registry, **{by: tool["tool_id"] if by == "tool_id" else tool["name"]}, args=args)
            return
    not_applicable("every tool takes any arguments, and none is to be called here")


@pytest.mark.requirement("tools.failure")
def test_a_call_that_fails_says_why(tool_registry: Service) -> None:
    """The result is not ok and has an error; nothing else is."""
    for tool in _tools(tool_registry):
        args = _misfit(tool)
        if args is not None:
            result = _call(tool_registry, tool_id=tool["tool_id"], args=args)
            assert result["ok"] is False, f"{tool['tool_id']} took {args}, which does not fit its input_schema"
            assert result["error"]["code"]
