"""A model's turn, put together from the pieces that its server streams. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from arp_runtime.agents.model.errors import ModelProtocolError, ModelUnavailableError

# A turn that asks for more than this is no sensible one.
_MAX_TOOL_CALLS = 64
_MAX_LINE = 1024 * 1024

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Usage(msgspec.Struct):
    """Tokens, as the server counts them."""

    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    total_tokens: _Count = 0

    def plus(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
        )


class _FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCallDelta(msgspec.Struct):
    index: Annotated[int, msgspec.Meta(ge=0, lt=_MAX_TOOL_CALLS)] = 0
    id: str | None = None
    function: _FunctionDelta | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCallDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Failure(msgspec.Struct):
    message: str = "no reason given"


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: Usage | None = None
    error: _Failure | str | None = None


@dataclass
class ToolCall:
    """What the model wants called. `arguments` is JSON, or should be."""

    id: str
    name: str = ""
    arguments: str = ""


@dataclass
class Turn:
    """What the model has said so far in one turn."""

    content: str = ""
    tool_calls: dict[int, ToolCall] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is anything that asking again would say twice."""
        return bool(self.content or self.tool_calls)

    def take(self, data: bytes) -> str:
        """Take the data of one chunk, and return the text that it adds.

        Raises:
            ModelProtocolError: it is no chunk.
            ModelUnavailableError: it says that the server has failed.
        """
        try:
            chunk = _decoder.decode(data)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise ModelProtocolError(f"The model's server sent a chunk that cannot be read: {exc}") from exc
        if chunk.error is not None:
            message = chunk.error if isinstance(chunk.error, str) else chunk.error.message
            raise ModelUnavailableError(f"The model's server broke off: {message}")
        self.usage = chunk.usage or self.usage
        text = "".join(self._take_choice(choice) for choice in chunk.choices[:1])  # only one was asked for
        self.content += text
        return text

    def _take_choice(self, choice: _Choice) -> str:
        self.finish_reason = choice.finish_reason or self.finish_reason
        if choice.delta is None:
            return ""
        for piece in choice.delta.tool_calls or []:
            call = self.tool_calls.setdefault(piece.index, ToolCall(f"call_{piece.index}"))
            call.id = piece.id or call.id
            if piece.function is not None:
                call.name += piece.function.name or ""
                call.arguments += piece.function.arguments or ""
        return choice.delta.content or ""


_decoder = msgspec.json.Decoder(_Chunk)


class Lines:
    """Cuts bytes into lines; a server-sent event's data is a line that begins with `data:`."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take more bytes, and return the data of the events that are whole now. Raises ModelProtocolError."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _MAX_LINE:
            raise ModelProtocolError(f"The model's server sent a line of over {_MAX_LINE} bytes.")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]
