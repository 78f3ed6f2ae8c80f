"""From a goal to a plan, by a few plain rules; the first that fits counts.

`input.data` may say it outright: `{"tool_id": "clock", "args": {"time_zone": "Asia/Tokyo"}}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from arp_runtime.agents.default.plans import CallTool, Count, Fail, Plan, Wait
from arp_runtime.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_COUNT = 1_000_000
MAX_WAIT_S = 3600.0
"""What is asked for beyond these is cut to them."""

# A longer goal is no simple request, and matching it could take long.
_MAX_RULED_LENGTH = 1000
# Seconds between two numbers: long enough to watch them come, and to cancel in the middle.
_PAUSES_S = {"slowly": 0.2, "": 0.02, "quickly": 0.0}
_UNITS_S = {"ms": 0.001, "millisecond": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0}

_FAIL = re.compile(r"fail\b[\s:,-]*(.*)", re.IGNORECASE | re.DOTALL)
_COUNT = re.compile(r"count (?:up )?to (\d{1,12})(?: (slowly|quickly))?\W*", re.IGNORECASE)
_WAIT = re.compile(r"(?:wait|sleep)(?: for)? (\d{1,9}(?:\.\d{1,9})?) ?([a-z]+)\W*", re.IGNORECASE)
_TIME = re.compile(
    r".*\b(?:what(?: is|'s)?(?: the)? time|the time(?= in\b)|time is it|current time)\b"
    r"(?:.*\bin ([\w/+ -]+?)(?: right now| now)?\W*|.*)",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"(?:what is|what's|how much is|calculate|compute|evaluate|solve)?[\s:]*(.*?)[\s=?!.]*",
    re.IGNORECASE | re.DOTALL,
)
_ARITHMETIC = re.compile(r"(?=.*\d)[\d\s.eE+*/%()^\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}\N{MINUS SIGN}-]+", re.DOTALL)
_WORDS = {"divided by": "/", "times": "*", "plus": "+", "minus": "-"}


def make_plan(goal: str, data: Mapping[str, Any]) -> Plan:
    """Decide what to do about a goal.

    Raises:
        AgentError: `data` names a tool in a way that cannot be understood (code `invalid_data`).
    """
    if "tool_id" in data:
        return _read_data(data)
    text = goal.strip()
    for rule in _RULES if len(text) <= _MAX_RULED_LENGTH else ():
        plan = rule(text)
        if plan is not None:
            return plan
    return CallTool("echo", {"text": goal})


def _read_data(data: Mapping[str, Any]) -> CallTool:
    tool_id, args = data["tool_id"], data.get("args", {})
    if not isinstance(tool_id, str) or not isinstance(args, dict):
        raise AgentError("invalid_data", "input.data: 'tool_id' must be text, and 'args' an object.")
    return CallTool(tool_id, args)


def _fail(text: str) -> Plan | None:
    match = _FAIL.fullmatch(text)
    return Fail(match[1].strip() or "The goal asked for a failure.") if match else None


def _count(text: str) -> Plan | None:
    match = _COUNT.fullmatch(text)
    return Count(min(int(match[1]), MAX_COUNT), _PAUSES_S[(match[2] or "").lower()]) if match else None


def _wait(text: str) -> Plan | None:
    match = _WAIT.fullmatch(text)
    if match is None:
        return None
    unit = match[2].lower()
    unit_s = _UNITS_S.get(unit) or _UNITS_S.get(unit.removesuffix("s"))
    return Wait(min(float(match[1]) * unit_s, MAX_WAIT_S)) if unit_s else None


def _time(text: str) -> Plan | None:
    match = _TIME.fullmatch(text)
    return CallTool("clock", {"time_zone": (match[1] or "UTC").strip()}) if match else None


def _arithmetic(text: str) -> Plan | None:
    match = _ASKING.fullmatch(text)
    expression = match[1] if match else ""
    for word, sign in _WORDS.items():
        expression = expression.replace(f" {word} ", f" {sign} ")
    return CallTool("calculator", {"expression": expression}) if _ARITHMETIC.fullmatch(expression) else None


_RULES: tuple[Callable[[str], Plan | None], ...] = (_fail, _count, _wait, _time, _arithmetic)
