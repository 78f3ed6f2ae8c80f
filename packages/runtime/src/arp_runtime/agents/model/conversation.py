"""What a model is told: the goal, the tools, and what became of its calls. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from arp_model import UNSET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from arp_model import ToolDefinition
    from arp_runtime.agents.model.stream import ToolCall, Turn
    from arp_runtime.agents.run_input import RunInput
    from arp_runtime.errors import AgentError

# A model reads so much of a result, and is told that there was more.
_MAX_RESULT = 32_000
# What servers take as the name of a function.
_NAME_LENGTH = 64
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")

Message = dict[str, Any]


def opening(system_prompt: str, run: RunInput) -> list[Message]:
    """The messages that a conversation begins with."""
    parts = [run.goal]
    for heading, material in (("Context", run.context), ("Data", run.data)):
        if material:
            parts.append(f"{heading}:\n{json.dumps(material, ensure_ascii=False, indent=2)}")
    return [{"role": "system", "content": system_prompt}, {"role": "user", "content": "\n\n".join(parts)}]


def names_of(tools: Sequence[ToolDefinition]) -> dict[str, ToolDefinition]:
    """Each tool under a name that servers take: its id, changed where it must be."""
    named: dict[str, ToolDefinition] = {}
    for tool in tools:
        wanted = _NOT_IN_A_NAME.sub("_", tool.tool_id)[:_NAME_LENGTH]
        name, number = wanted, 2
        while name in named:
            name = f"{wanted[: _NAME_LENGTH - 4]}_{number}"
            number += 1
        named[name] = tool
    return named


def functions(named: Mapping[str, ToolDefinition]) -> list[dict[str, Any]]:
    """The tools as the protocol tells them."""
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": "" if tool.description is UNSET else tool.description,
                "parameters": tool.input_schema,
            },
        }
        for name, tool in named.items()
    ]


def said(turn: Turn) -> Message:
    """The model's own turn, as it is told it again."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.tool_calls.values()
    ]
    return {"role": "assistant", "content": turn.content or None, "tool_calls": calls}


def result_of(call: ToolCall, result: Any) -> Message:
    """What a tool returned."""
    text = json.dumps(result, ensure_ascii=False)
    if len(text) > _MAX_RESULT:
        text = f"{text[:_MAX_RESULT]}... (cut; {len(text)} characters in all)"
    return {"role": "tool", "tool_call_id": call.id, "content": text}


def failure_of(call: ToolCall, error: AgentError) -> Message:
    """Why a call failed, so that the model can do better."""
    return result_of(call, {"error": {"code": error.code, "message": error.message}})
