"""Tools that need neither network nor key: every run has them, under its tool_policy."""

from arp_runtime.tools.builtin.calculator import calculator
from arp_runtime.tools.builtin.clock import clock
from arp_runtime.tools.builtin.echo import echo

__all__ = ["BUILTIN_TOOLS", "calculator", "clock", "echo"]

BUILTIN_TOOLS = (calculator, clock, echo)
