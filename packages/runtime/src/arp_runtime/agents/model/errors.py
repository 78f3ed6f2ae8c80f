"""What ends a run of the agent `model` as failed.

ModelError                  an AgentError
├── ModelUnavailableError   model_unavailable   overloaded, not reachable, or broken off; another try may succeed
├── ModelRefusedError       model_refused       the server does not take the request: the key, the model's name, ...
├── ModelProtocolError      model_protocol_error  that is no chat-completions server, or a broken one
└── ModelStuckError         model_stuck         the model does not come to an answer
"""

from __future__ import annotations

from arp_runtime.errors import AgentError


class ModelError(AgentError):
    """The model did not do its part."""


class ModelUnavailableError(ModelError):
    """The server is overloaded, cannot be reached, or broke off. `retry_after_s` is what it asks to wait."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__("model_unavailable", message, retryable=True)
        self.retry_after_s = retry_after_s


class ModelRefusedError(ModelError):
    """The server understood the request, and does not take it."""

    def __init__(self, message: str) -> None:
        super().__init__("model_refused", message)


class ModelProtocolError(ModelError):
    """What the server answers is not what the chat-completions protocol promises."""

    def __init__(self, message: str) -> None:
        super().__init__("model_protocol_error", message)


class ModelStuckError(ModelError):
    """The model goes round in circles."""

    def __init__(self, message: str) -> None:
        super().__init__("model_stuck", message)
