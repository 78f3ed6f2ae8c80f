"""From what somebody wrote as an agent to what the runtime calls; `arp_runtime.agents.context` says what it may be."""

from __future__ import annotations

import inspect
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from arp_runtime.agents.events import Telling
from arp_runtime.agents.threads import call_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from arp_runtime.agents.context import Agent, AgentContext


class Workplace(Enum):
    """Where an agent works; it decides how many runs at once are sensible."""

    LOOP = "loop"
    """In the event loop, with all other runs."""
    THREAD = "thread"
    """Each run in a thread."""
    PROCESS = "process"
    """Each run in a process."""


class NoAgentError(Exception):
    """What was named is no agent; the message says what it is, and what it should be."""


@dataclass(frozen=True)
class LoadedAgent:
    """An agent that is ready to be called."""

    call: Agent
    workplace: Workplace
    at_once: int | None = None
    """How many runs at once it is made for; None where its workplace says enough."""


def as_agent(target: Any) -> LoadedAgent:
    """Return the agent that an object is.

    Raises:
        NoAgentError: it is none, or an agent class that cannot be made.
    """
    function = find_function(target)
    inner = _innermost(function)
    if inspect.isasyncgenfunction(inner):
        return LoadedAgent(partial(_call_generator, function), Workplace.LOOP)
    if inspect.iscoroutinefunction(inner):
        return LoadedAgent(function, Workplace.LOOP)
    return LoadedAgent(partial(call_in_thread, function), Workplace.THREAD)


def find_function(target: Any) -> Callable[..., Any]:
    """Return the function of one argument that an agent is, or has.

    Raises:
        NoAgentError: there is none.
    """
    if inspect.isclass(target):
        target = _make(target)
    function: Any = getattr(target, "run", target)
    if not callable(function):
        raise NoAgentError(
            f"that is {type(target).__name__}; an agent is a function (async or not), an async generator function, "
            "or a class with a method `run`"
        )
    _check_signature(function)
    found: Callable[..., Any] = function
    return found


def _make(class_: type) -> Any:
    if not callable(getattr(class_, "run", None)):
        raise NoAgentError(f"the class {class_.__name__} has no method `run`; write `async def run(self, context)`")
    try:
        return class_()
    except Exception as exc:
        reason = f"{type(exc).__name__}: {exc}"
        raise NoAgentError(f"{class_.__name__}() is made without arguments, and that failed: {reason}") from exc


def _check_signature(function: Callable[..., Any]) -> None:
    """Refuse what cannot be called with one argument. Some things do not tell; those are tried."""
    with suppress(ValueError):
        signature = inspect.signature(function)
        try:
            signature.bind(None)
        except TypeError as exc:
            name = getattr(function, "__name__", type(function).__name__)
            raise NoAgentError(f"{name}{signature} cannot be called with one argument, the context: {exc}") from exc


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """What says whether a call gives a coroutine: of an object with `__call__`, that."""
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    found: Callable[..., Any] = type(function).__call__
    return found


async def _call_generator(function: Callable[[AgentContext], AsyncGenerator[Any, None]], context: AgentContext) -> Any:
    telling = Telling()
    async with aclosing(function(context)) as items:
        async for item in items:
            event = telling.take(item)
            if event is not None:
                await context.emit(event.type, event.data)
    return telling.ending()
