"""Tools that need neither network nor key: every run has them, under its tool_policy."""

from arp_runtime.builtin_tools.calculator import calculator
from arp_runtime.builtin_tools.clock import clock
from arp_runtime.builtin_tools.echo import echo

__all__ = ["BUILTIN_TOOLS", "calculator", "clock", "echo"]

BUILTIN_TOOLS = (calculator, clock, echo)
