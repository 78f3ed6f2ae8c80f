"""Tools that need neither network nor key: every run has them, under its tool_policy."""

from arp_runtime.builtin_tools.calculator import CALCULATOR
from arp_runtime.builtin_tools.clock import CLOCK
from arp_runtime.builtin_tools.echo import ECHO

__all__ = ["BUILTIN_TOOLS", "CALCULATOR", "CLOCK", "ECHO"]

BUILTIN_TOOLS = (CALCULATOR, CLOCK, ECHO)
