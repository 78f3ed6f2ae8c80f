"""What ends a run as failed. Agents raise these; a run's result shows code and message.

AgentError                     any code that an agent chooses
├── AgentFailedError           agent_error        the agent raised something else
├── InvalidOutputError         invalid_output     what the agent returned is no JSON object
├── InvalidEventError          invalid_event      what the agent told is no event
├── InvalidArtifactError       invalid_artifact   an artifact has no name for a file, or could not be written
├── CommandFailedError         command_failed     a command agent ended with another exit code than 0
├── ToolError                  tool_failed        a tool could not do what it was asked
│   ├── InvalidToolArgumentsError  invalid_tool_arguments
│   ├── InvalidToolResultError  invalid_tool_result
│   ├── ToolTimeoutError        tool_timeout   it took longer than it may
│   ├── ToolDeniedError        tool_denied        the run's tool_policy forbids the tool
│   └── ToolNotFoundError      tool_not_found
└── RunHaltedError             ended from outside; the agent has no say in it
    ├── LimitExceededError     limit_exceeded     a limit of the run was reached
    ├── RunCanceledError       canceled           somebody canceled the run; its state is canceled
    └── RunInterruptedError    interrupted        the runtime stopped; another try may succeed

What refuses a request is a ServiceError:

OverloadedError                overloaded    503  as many runs execute and wait as may
"""

from __future__ import annotations

from typing import Any

from arp_service.errors import UnavailableError


class AgentError(Exception):
    """A failure with a stable snake_case code, for the run's result."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.retryable = retryable


class AgentFailedError(AgentError):
    """The agent raised an exception of its own; the trace has the traceback, the result does not."""

    def __init__(self, message: str) -> None:
        super().__init__("agent_error", message)


class InvalidOutputError(AgentError):
    """What the agent returned cannot stand in a result."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_output", message)


class InvalidEventError(AgentError):
    """What the agent told is no event; the message says what to write."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_event", message)


class InvalidArtifactError(AgentError):
    """An artifact cannot be kept under this name, or not at all."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_artifact", message)


class CommandFailedError(AgentError):
    """A command agent ended with another exit code than 0, and said no reason."""

    def __init__(self, exit_code: int, meaning: str) -> None:
        message = f"The command ended with exit code {exit_code}{meaning}; the run's trace has what it said."
        super().__init__("command_failed", message, details={"exit_code": exit_code})


class ToolError(AgentError):
    """A tool could not do what it was asked. Tools raise it; an agent may catch it and go on."""

    def __init__(self, message: str, *, code: str = "tool_failed") -> None:
        super().__init__(code, message)


class InvalidToolArgumentsError(ToolError):
    """The arguments do not fit the tool's input schema; the message names the place."""

    def __init__(self, tool_id: str, message: str) -> None:
        super().__init__(f"Tool {tool_id!r}: {message}", code="invalid_tool_arguments")


class InvalidToolResultError(ToolError):
    """What the tool returned is no JSON, too large, or not what its output schema promises."""

    def __init__(self, tool_id: str, problem: str) -> None:
        super().__init__(f"What the tool {tool_id!r} returned is {problem}.", code="invalid_tool_result")


class ToolTimeoutError(ToolError):
    """The tool took longer than it may."""

    def __init__(self, tool_id: str, timeout_s: float) -> None:
        super().__init__(f"The tool {tool_id!r} did not answer within {timeout_s:g} s.", code="tool_timeout")


class ToolDeniedError(ToolError):
    """The run's tool_policy does not let it use this tool."""

    def __init__(self, tool_id: str) -> None:
        super().__init__(f"This run may not use the tool {tool_id!r}.", code="tool_denied")


class ToolNotFoundError(ToolError):
    """The runtime has no tool with this id."""

    def __init__(self, tool_id: str) -> None:
        super().__init__(f"There is no tool {tool_id!r}.", code="tool_not_found")


class RunHaltedError(AgentError):
    """The run was ended from outside. Catching this does not help an agent: the run ends all the same."""


class LimitExceededError(RunHaltedError):
    """A limit of the run was reached: `timeout_ms`, `max_steps` or `max_tokens`."""

    def __init__(self, limit: str, value: int) -> None:
        super().__init__(
            "limit_exceeded",
            f"The run reached its limit: {limit} is {value}.",
            details={"limit": limit, "value": value},
        )


class RunCanceledError(RunHaltedError):
    """Somebody canceled the run."""

    def __init__(self) -> None:
        super().__init__("canceled", "The run was canceled.")


class RunInterruptedError(RunHaltedError):
    """The runtime stopped before the run had ended."""

    def __init__(self) -> None:
        super().__init__("interrupted", "The runtime stopped before the run had ended.", retryable=True)


class OverloadedError(UnavailableError):
    """As many runs execute, and wait, as the runtime allows."""

    code = "overloaded"

    def __init__(self, concurrent: int, waiting: int) -> None:
        super().__init__(
            f"As many runs execute ({concurrent}) and wait ({waiting}) as may; send this again in a moment.",
            details={"max_concurrent_runs": concurrent, "max_waiting_runs": waiting},
        )
