"""What `run` takes, in plain words, and the RunRequest that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from arp_model import (
    UNSET,
    Metadata,
    RunRequest,
    RunRequestInput,
    RunRequestLimits,
    RunRequestRuntimeSelector,
    RunRequestToolPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_model import Model, UnsetType

M = TypeVar("M", bound="Model")


class RunOptions(TypedDict, total=False):
    """What a run is, besides its goal. What is absent, or None, is left to the service."""

    context: dict[str, Any] | None
    """Background for the agent, such as earlier turns of a conversation."""
    data: dict[str, Any] | None
    """Material that the goal is about."""
    timeout_ms: int | None
    """The longest time that the run may execute, in milliseconds; waiting in a queue does not count."""
    max_steps: int | None
    """How many steps the agent may take."""
    max_tokens: int | None
    """How many tokens the agent may produce."""
    allow_tool_ids: Sequence[str] | None
    """Only these tools may be used; an empty list allows none."""
    deny_tool_ids: Sequence[str] | None
    """These tools may not be used, allowed or not."""
    labels: dict[str, str] | None
    """Labels that stay with the run."""
    run_id: str | None
    """The id that the run shall have. Sent again with the same, it is the same run."""


class DaemonRunOptions(RunOptions, total=False):
    """What a run of a daemon is, besides its goal."""

    profile: str | None
    """Any instance of this runtime profile. Absent, with no instance named either: the profile `default`."""
    instance_id: str | None
    """Exactly this instance."""


def build_run_request(goal: str, options: RunOptions, kind: type[RunOptions]) -> RunRequest:
    """Return the request. Raises TypeError for an option that is not one of the `kind`."""
    unknown = sorted(options.keys() - kind.__annotations__.keys())
    if unknown:
        raise TypeError(f"run() has no option {', '.join(unknown)}; it has {', '.join(kind.__annotations__)}")

    def given(name: str) -> Any:
        value = options.get(name)
        return UNSET if value is None else value

    return RunRequest(
        input_=RunRequestInput(goal, context=given("context"), data=given("data")),
        run_id=given("run_id"),
        runtime_selector=_unless_empty(
            RunRequestRuntimeSelector(runtime_profile=given("profile"), instance_id=given("instance_id"))
        ),
        tool_policy=_unless_empty(
            RunRequestToolPolicy(
                allow_tool_ids=_as_list(given("allow_tool_ids")), deny_tool_ids=_as_list(given("deny_tool_ids"))
            )
        ),
        limits=_unless_empty(
            RunRequestLimits(
                timeout_ms=given("timeout_ms"), max_steps=given("max_steps"), max_tokens=given("max_tokens")
            )
        ),
        metadata=_unless_empty(Metadata(labels=given("labels"))),
    )


def _unless_empty(model: M) -> M | UnsetType:
    return UNSET if model == type(model)() else model


def _as_list(ids: Any) -> Any:
    """A text is a sequence of texts too, which nobody means; as it is, it is refused for what it is."""
    return ids if ids is UNSET or isinstance(ids, str) else list(ids)
