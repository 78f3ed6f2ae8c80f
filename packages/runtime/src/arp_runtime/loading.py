"""Finding the agent that a name means: `default`, or `module:attribute`."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from arp_runtime.default_agent import default_agent

if TYPE_CHECKING:
    from arp_runtime.agent import Agent

_BUILT_IN: dict[str, Agent] = {"default": default_agent}


class AgentNotLoadableError(Exception):
    """The agent cannot be had; the message says why and what to write instead."""


def load_agent(name: str) -> Agent:
    """Return the agent with this name. Modules are looked for in the current folder first.

    Raises:
        AgentNotLoadableError: there is no such module or attribute, importing it failed, or it is no async
            function.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    module, separator, attribute = name.partition(":")
    if not (separator and module and attribute):
        known = ", ".join(_BUILT_IN)
        raise AgentNotLoadableError(f"--agent {name}: write module:attribute, or one of: {known}.")
    agent = _import(name, module, attribute)
    if not inspect.iscoroutinefunction(agent) and not inspect.iscoroutinefunction(type(agent).__call__):
        raise AgentNotLoadableError(f"--agent {name}: that is {type(agent).__name__}, not an async function.")
    return agent


def _import(name: str, module: str, attribute: str) -> Agent:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Agent = getattr(importlib.import_module(module), attribute)
    except Exception as exc:
        raise AgentNotLoadableError(f"--agent {name}: {type(exc).__name__}: {exc}") from exc
    return found
