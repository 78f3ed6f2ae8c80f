"""The agent of a runtime that was given none. It works offline: plans, asks tools, and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anyio

from arp_runtime.agents.default.planner import make_plan
from arp_runtime.agents.default.plans import CallTool, Count, Fail, Wait
from arp_runtime.errors import AgentError

if TYPE_CHECKING:
    from arp_runtime.agents.context import AgentContext

# A long answer comes in so many tokens at most, of several words each.
_MAX_TOKENS = 500
_WORD = re.compile(r"\s*\S+\s*|\s+")


async def default_agent(context: AgentContext) -> dict[str, Any]:
    """Do what the goal asks; see docs/runtime.md for what it understands."""
    plan = make_plan(context.goal, context.data)
    match plan:
        case CallTool():
            return await _call_tool(context, plan)
        case Count():
            return await _count(context, plan)
        case Wait():
            return await _wait(context, plan)
        case Fail():
            await context.step("plan", action="fail")
            raise AgentError("failed_on_purpose", plan.reason)


async def _call_tool(context: AgentContext, plan: CallTool) -> dict[str, Any]:
    await context.step("plan", action="call_tool", tool_id=plan.tool_id)
    result = await context.tools.call(plan.tool_id, plan.args)
    answer = _phrase(result)
    for piece in pieces(answer):
        await context.emit_token(piece)
    return {"answer": answer, "tool_id": plan.tool_id, "result": result}


async def _count(context: AgentContext, plan: Count) -> dict[str, Any]:
    await context.step("plan", action="count", to=plan.to)
    for number in range(1, plan.to + 1):
        await context.emit_token(str(number) if number == 1 else f" {number}")
        await anyio.sleep(plan.pause_s)
    return {"answer": f"Counted to {plan.to}.", "count": plan.to}


async def _wait(context: AgentContext, plan: Wait) -> dict[str, Any]:
    await context.step("plan", action="wait", seconds=plan.seconds)
    await anyio.sleep(plan.seconds)
    answer = f"Waited {plan.seconds:g} s."
    await context.emit_token(answer)
    return {"answer": answer, "seconds": plan.seconds}


def _phrase(result: Any) -> str:
    """A tool's result in words. The built-in tools say theirs as `text`."""
    match result:
        case {"expression": str(expression), "text": str(text)}:
            return f"{expression} = {text}"
        case {"time_zone": str(time_zone), "text": str(text)}:
            return f"In {time_zone} it is {text}."
        case {"text": str(text)}:
            return text
    return str(result)


def pieces(answer: str) -> list[str]:
    """Cut an answer into tokens that joined give it back: words, or groups of words where it is long."""
    words = _WORD.findall(answer)
    group = -(-len(words) // _MAX_TOKENS) or 1
    return ["".join(words[start : start + group]) for start in range(0, len(words), group)]
