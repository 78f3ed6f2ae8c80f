"""Finding the agent that a name means.

| name | the agent |
|---|---|
| `default` | the one that comes with the runtime |
| `model` | a language model, by `ARP_MODEL_BASE_URL` and `ARP_MODEL` (`arp_runtime.agents.model`) |
| `my_package.my_module:agent` | an attribute of a module; the current folder is looked in first |
| `./agent.py:agent` | an attribute of a file |
| `command:./agent.sh` | a program (`arp_runtime.agents.command`) |
| `my-agent` | what an installed package has in its entry-point group `arp_runtime.agents` |
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arp_runtime.agents.command import PREFIX, load_command
from arp_runtime.agents.default import default_agent
from arp_runtime.agents.isolation import isolate
from arp_runtime.agents.kinds import NoAgentError, Workplace, as_agent
from arp_runtime.agents.model import LOCAL_SLOTS, LocalModelAgent, ModelAgent, read_settings
from arp_runtime.entry_points import find_entry_points
from arp_runtime.modules import ModuleNotLoadableError, import_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from arp_runtime.agents.kinds import LoadedAgent

ENTRY_POINT_GROUP = "arp_runtime.agents"
MODEL = "model"

_BUILT_IN: dict[str, Callable[[], Any]] = {
    "default": lambda: default_agent,
    MODEL: lambda: ModelAgent(read_settings(os.environ)),
}


class AgentNotLoadableError(Exception):
    """The agent cannot be had; the message says why and what to write instead."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"--agent {name}: {reason}.")


def load_agent(name: str, *, isolated: bool = False) -> LoadedAgent:
    """Return the agent with this name; where it is `isolated`, one that calls its plain function in a process a run.

    Raises:
        AgentNotLoadableError: there is no such module, file or attribute, importing it failed, or it is no agent.
    """
    try:
        if name.startswith(PREFIX):
            return load_command(name)
        loaded = as_agent(load_target(name))
    except NoAgentError as exc:
        raise AgentNotLoadableError(name, str(exc)) from exc
    if not isolated:
        return loaded
    if loaded.workplace is not Workplace.THREAD:
        raise AgentNotLoadableError(name, "only a plain function can have a process of its own, and this is async")
    return isolate(name)


def load_local_model(name: str) -> LoadedAgent:
    """Return the agent `model` with a model that runs in this process.

    Raises:
        AgentNotLoadableError: that is another agent's name, or what the model needs is not installed.
    """
    if name != MODEL:
        raise AgentNotLoadableError(name, f"--local-model is for --agent {MODEL}")
    try:
        return replace(as_agent(LocalModelAgent(os.environ)), at_once=LOCAL_SLOTS)
    except NoAgentError as exc:
        raise AgentNotLoadableError(name, str(exc)) from exc


def load_target(name: str) -> Any:
    """Return what this name means, whatever it is.

    Raises:
        AgentNotLoadableError: it means nothing, or importing it failed.
    """
    module, separator, attribute = name.rpartition(":")
    if separator:
        if not module or not attribute:
            raise AgentNotLoadableError(name, "write module:attribute, or ./file.py:attribute")
        return _attribute(name, _import(name, module), attribute)
    if name.endswith(".py"):
        raise AgentNotLoadableError(name, f"say what in that file is the agent: {name}:agent")
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    return _load_entry_point(name)


def _import(name: str, module: str) -> ModuleType:
    try:
        return import_named(module)
    except ModuleNotLoadableError as exc:
        raise AgentNotLoadableError(name, str(exc)) from exc


def _attribute(name: str, module: ModuleType, attribute: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError as exc:
        own = [n for n, v in vars(module).items() if callable(v) and getattr(v, "__module__", "") == module.__name__]
        has = f"it has: {', '.join(own)}" if own else "it has no function or class of its own"
        raise AgentNotLoadableError(name, f"{module.__name__} has no {attribute!r}; {has}") from exc


def _load_entry_point(name: str) -> Any:
    found = list(find_entry_points(ENTRY_POINT_GROUP).select(name=name))
    if not found:
        installed = sorted({point.name for point in find_entry_points(ENTRY_POINT_GROUP)})
        known = ", ".join([*_BUILT_IN, *installed])
        raise AgentNotLoadableError(
            name, f"write module:attribute, ./file.py:attribute, command:PROGRAM, or one of: {known}"
        )
    if len({point.value for point in found}) > 1:
        values = " and ".join(sorted(point.value for point in found))
        raise AgentNotLoadableError(name, f"several packages call theirs so; write one of {values}")
    module, _, attribute = found[0].value.partition(":")
    return _attribute(name, _import(name, module), attribute.strip() or "agent")
