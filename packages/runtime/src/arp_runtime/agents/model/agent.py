"""The loop: ask the model, call the tools that it wants, tell it what came of that, until it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import UNSET
from arp_runtime.agents.model.client import Ask, open_model
from arp_runtime.agents.model.conversation import failure_of, functions, names_of, opening, result_of, said
from arp_runtime.agents.model.errors import ModelProtocolError, ModelStuckError
from arp_runtime.agents.model.stream import Usage
from arp_runtime.errors import (
    InvalidToolArgumentsError,
    LimitExceededError,
    RunHaltedError,
    ToolDeniedError,
    ToolError,
    ToolNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_model import ToolDefinition
    from arp_runtime.agents.context import AgentContext
    from arp_runtime.agents.model.client import ModelClient
    from arp_runtime.agents.model.conversation import Message
    from arp_runtime.agents.model.settings import ModelSettings
    from arp_runtime.agents.model.stream import ToolCall, Turn

# Calls in a row that no tool could have answered: then the model will not learn it.
_MAX_BAD_CALLS = 5
# A run without `max_steps` ends as well.
_MAX_TURNS = 100
# The protocol's word for an answer that was cut at `max_tokens`.
_CUT = "length"
# The model called what there is not, or with what does not fit.
_BAD_CALL = (InvalidToolArgumentsError, ToolDeniedError, ToolNotFoundError)


class ModelAgent:
    """An agent that is a language model. Each turn of the model counts as a step, and each of its tool calls."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings

    async def run(self, context: AgentContext) -> dict[str, Any]:
        """Work on the run's goal until the model answers it."""
        async with open_model(self._settings) as model:
            return await _Work(self._settings, context, model).until_answered()


class _Work:
    """One run's conversation with the model."""

    def __init__(self, settings: ModelSettings, context: AgentContext, model: ModelClient) -> None:
        self._settings = settings
        self._context = context
        self._model = model
        self._messages: list[Message] = opening(settings.system_prompt, context)
        self._tools: Mapping[str, ToolDefinition] = names_of(context.tools.list()) if settings.offers_tools else {}
        self._usage = Usage()
        self._bad_calls = 0

    async def until_answered(self) -> dict[str, Any]:
        """Go on turn by turn, and return the run's output."""
        for number in range(1, _MAX_TURNS + 1):
            await self._context.step("ask_model", turn=number, model=self._settings.model)
            turn = await self._model.complete(Ask(self._body(), self._context.emit_token, self._context.deadline))
            self._count(turn)
            if not turn.tool_calls:
                return self._answer(turn)
            self._messages.append(said(turn))
            for call in turn.tool_calls.values():
                self._messages.append(await self._call(call))
        raise ModelStuckError(f"The model has not come to an answer in {_MAX_TURNS} turns.")

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": self._messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._tools:
            body["tools"] = functions(self._tools)
        limit = self._context.limits.max_tokens
        if limit is not UNSET:
            body["max_tokens"] = self._tokens_left(limit)
        return body

    def _tokens_left(self, limit: int) -> int:
        if self._spent() >= limit:
            raise LimitExceededError("max_tokens", limit)
        return limit - self._spent()

    def _count(self, turn: Turn) -> None:
        """Add up what the turn took. Raises LimitExceededError where it was cut because no token was left."""
        if turn.usage is not None:
            self._usage = self._usage.plus(turn.usage)
            self._context.usage.update(msgspec.structs.asdict(self._usage))
        limit = self._context.limits.max_tokens
        if turn.finish_reason == _CUT and limit is not UNSET and (turn.usage is None or self._spent() >= limit):
            raise LimitExceededError("max_tokens", limit)

    def _spent(self) -> int:
        """The tokens that the model has said: by the server's count or by the events', whichever is more."""
        return max(self._usage.completion_tokens, len(self._context.said))

    def _answer(self, turn: Turn) -> dict[str, Any]:
        return {"answer": turn.content, "model": self._settings.model, "finish_reason": turn.finish_reason}

    async def _call(self, call: ToolCall) -> Message:
        """Call one tool, and return what the model is told of it."""
        if not call.name:
            raise ModelProtocolError("The model's server streamed a tool call without a name.")
        try:
            result = await self._context.tools.call(self._tool_id(call), _arguments_of(call))
        except RunHaltedError:
            raise
        except ToolError as error:
            self._bad_calls = self._bad_calls + 1 if isinstance(error, _BAD_CALL) else 0
            if self._bad_calls >= _MAX_BAD_CALLS:
                problem = f"The model made {_MAX_BAD_CALLS} bad tool calls in a row: {error.message}"
                raise ModelStuckError(problem) from error
            return failure_of(call, error)
        self._bad_calls = 0
        return result_of(call, result)

    def _tool_id(self, call: ToolCall) -> str:
        """A name that is no tool's is called as it stands, so that the run's events tell of it."""
        return self._tools[call.name].tool_id if call.name in self._tools else call.name


def _arguments_of(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidToolArgumentsError(call.name, f"no JSON: {exc}") from exc
    if not isinstance(arguments, dict):
        raise InvalidToolArgumentsError(call.name, "the arguments are an object")
    return arguments
