"""Asking a chat-completions server for a model's next turn: streamed, and again where it may help.

An answer that has begun is never asked for again: its tokens are events already.
"""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import msgspec
import structlog

from arp_runtime.agents.model.errors import ModelProtocolError, ModelRefusedError, ModelUnavailableError
from arp_runtime.agents.model.stream import Lines, Turn
from arp_runtime.outbound import NotCallableError, OutboundError, open_client, outbound_errors
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

    from arp_runtime.agents.model.settings import ModelSettings
    from arp_runtime.outbound import Answer, Client

# A large model that has much to read may think for so long before its first word.
_SILENCE_S = 120.0
# After its last word for the end of the answer, which lets the connection be used again.
_AFTER_DONE_S = 0.5
_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_MAX_ATTEMPTS = 5
# Before the second attempt, on average; doubled before each further one.
_BACKOFF_S = 0.5
# A server that asks for a longer pause gets no further request.
_MAX_PAUSE_S = 60.0
_MAX_WORDS = 500
_EVENT_STREAM = "text/event-stream"
_DONE = b"[DONE]"
# Worth another try: the request was too early or too much, or the server has a bad moment.
_TRY_AGAIN = {408, 409, 425, 429}
_SERVER_ERROR = 500
_OK = 200

_log = structlog.get_logger(__name__)


class Ask(NamedTuple):
    """What one turn is asked for with."""

    body: dict[str, Any]
    on_text: Callable[[str], Awaitable[None]]
    """Given each piece of text as it comes."""
    deadline: datetime | None
    """No pause goes beyond it."""


class ModelClient:
    """Connections to one server, for one run. Made by `open_model`."""

    def __init__(self, client: Client, settings: ModelSettings) -> None:
        self._client = client
        self._settings = settings

    async def complete(self, ask: Ask) -> Turn:
        """Return the model's next turn, when it is whole.

        Raises:
            ModelUnavailableError: the server is overloaded or gone, and trying again did not help, or broke off.
            ModelRefusedError: it does not take the request.
            ModelProtocolError: it does not speak the protocol.
        """
        attempt = 1
        while True:
            turn = Turn()
            try:
                await self._attempt(ask, turn)
            except ModelUnavailableError as error:
                pause_s = _pause_before_next(attempt, error, ask.deadline)
                if turn.has_begun or pause_s is None:
                    raise
                _log.warning("model_asked_again", reason=error.message, attempt=attempt, pause_s=round(pause_s, 3))
                await anyio.sleep(pause_s)
                attempt += 1
            else:
                return turn

    async def _attempt(self, ask: Ask, turn: Turn) -> None:
        try:
            with outbound_errors():
                async with self._client.stream(
                    "POST", "chat/completions", json=ask.body, headers={"Accept": _EVENT_STREAM}
                ) as answer:
                    await self._check(answer)
                    await _read(answer, turn, ask.on_text)
        except NotCallableError as exc:
            raise ModelRefusedError(f"The model's server cannot be called: {exc}") from exc
        except OutboundError as exc:
            raise ModelUnavailableError(f"The model's server: {exc}") from exc

    async def _check(self, answer: Answer) -> None:
        """Raise unless this is the beginning of a stream."""
        if answer.status_code != _OK:
            raise await self._as_error(answer)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != _EVENT_STREAM:
            raise ModelProtocolError(f"The model's server answers with {media_type or 'nothing known'}, not a stream.")

    async def _as_error(self, answer: Answer) -> ModelUnavailableError | ModelRefusedError:
        status = answer.status_code
        message = f"The model's server answers {status}: {self._without_key(await _words_of(answer))}"
        if status in _TRY_AGAIN or status >= _SERVER_ERROR:
            return ModelUnavailableError(message, _retry_after_s(answer.headers.get("retry-after", "")))
        return ModelRefusedError(message)

    def _without_key(self, text: str) -> str:
        """Servers quote the key that they refuse."""
        key = self._settings.api_key
        return text if key is None else text.replace(key, "***")


@asynccontextmanager
async def open_model(settings: ModelSettings) -> AsyncIterator[ModelClient]:
    """A client of the model's server, for the block. Raises ModelRefusedError where its address is none."""
    headers = {} if settings.api_key is None else {"Authorization": f"Bearer {settings.api_key}"}
    base_url = settings.base_url.rstrip("/") + "/"
    try:
        client = open_client(base_url, headers=headers, silence_s=_SILENCE_S, max_answer_bytes=_MAX_ANSWER_BYTES)
    except NotCallableError as exc:
        raise ModelRefusedError(f"The model's server cannot be called: {exc}") from exc
    async with client:
        yield ModelClient(client, settings)


async def _read(answer: Answer, turn: Turn, on_text: Callable[[str], Awaitable[None]]) -> None:
    """To the end of the answer; one whose server leaves it open after its last word is not waited for."""
    lines = Lines()
    with anyio.CancelScope() as waiting:
        async for chunk in answer.aiter_raw():
            for data in lines.feed(chunk):
                if data == _DONE:
                    waiting.deadline = anyio.current_time() + _AFTER_DONE_S
                    break
                text = turn.take(data)
                if text:
                    await on_text(text)
    if turn.finish_reason is None:
        raise ModelUnavailableError("The model's server broke off in the middle of its answer.")


async def _words_of(answer: Answer) -> str:
    """What an error answer says, shortened."""
    content = b""
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > _MAX_ERROR_BYTES:
            break
    try:
        error = msgspec.json.decode(content)["error"]
        words = error["message"] if isinstance(error, dict) else error
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
        words = content.decode("utf-8", "replace")
    return str(words)[:_MAX_WORDS].strip() or "without a word"


def _retry_after_s(value: str) -> float | None:
    """The seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3): a number or a date."""
    if value.isascii() and value.isdigit() and len(value) <= len("1000000"):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max((until - utc_now()).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _pause_before_next(attempt: int, error: ModelUnavailableError, deadline: datetime | None) -> float | None:
    """Seconds to wait before the next attempt; None where there should be none."""
    backoff_s = _BACKOFF_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - so that clients do not all come at once
    pause_s = max(backoff_s, error.retry_after_s or 0.0)
    left_s = _MAX_PAUSE_S if deadline is None else (deadline - utc_now()).total_seconds()
    return None if attempt >= _MAX_ATTEMPTS or pause_s > min(left_s, _MAX_PAUSE_S) else pause_s
