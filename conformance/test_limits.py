"""Limits of a run, and its tool policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.service import Service

_ASKED = "What is (19*23)?"


@pytest.mark.requirement("limits.timeout")
@pytest.mark.parametrize("timeout_ms", [0, 100])
def test_a_run_that_takes_too_long_is_ended(service: Service, timeout_ms: int) -> None:
    """It fails, long before its work would be done."""
    status, result = service.run(service.goals.need_long(), limits={"timeout_ms": timeout_ms})
    assert (status["state"], result["error"]["code"]) == ("failed", "limit_exceeded")


@pytest.mark.requirement("limits.timeout")
def test_a_run_that_keeps_its_time_is_left_alone(service: Service) -> None:
    """A limit that is not reached changes nothing."""
    assert service.run(service.goals.short, limits={"timeout_ms": 30_000})[0]["state"] == "succeeded"


@pytest.mark.requirement("limits.steps")
def test_a_run_that_takes_too_many_steps_is_ended(service: Service) -> None:
    """It fails with the step that it may take, and its events show no second one, nor a tool call."""
    run_id = service.submit(service.goals.of_arp(_ASKED), limits={"max_steps": 1})["run_id"]
    events = service.events(run_id)
    result = service.result(run_id)
    assert (result["ok"], result["error"]["code"]) == (False, "limit_exceeded")
    assert result["usage"]["steps"] == 1
    assert [event.event for event in events] == ["step", "error"]


@pytest.mark.requirement("limits.tokens")
@pytest.mark.parametrize("max_tokens", [1, 3])
def test_a_run_that_emits_too_many_tokens_is_ended(service: Service, max_tokens: int) -> None:
    """It fails with the tokens that it may emit, and its events show no more of them."""
    run_id = service.submit(service.goals.of_arp("count to 50 quickly"), limits={"max_tokens": max_tokens})["run_id"]
    tokens = [event for event in service.events(run_id) if event.event == "token"]
    result = service.result(run_id)
    assert result["error"]["code"] == "limit_exceeded"
    assert result["usage"]["tokens"] == len(tokens) == max_tokens


@pytest.mark.requirement("tools.deny")
@pytest.mark.parametrize(
    "policy",
    [{"deny_tool_ids": ["calculator"]}, {"allow_tool_ids": ["calculator"], "deny_tool_ids": ["calculator"]}],
    ids=["denied", "denied though allowed"],
)
def test_a_denied_tool_is_not_called(service: Service, policy: dict[str, list[str]]) -> None:
    """An agent that needs the tool gets no result from it."""
    assert _error_code(service, policy) == "tool_denied"


@pytest.mark.requirement("tools.allow")
@pytest.mark.parametrize("allowed", [[], ["clock"]], ids=["none", "another"])
def test_a_tool_that_is_not_allowed_is_not_called(service: Service, allowed: list[str]) -> None:
    """A list of allowed tools means nothing else."""
    assert _error_code(service, {"allow_tool_ids": allowed}) == "tool_denied"


@pytest.mark.requirement("tools.allow", "tools.deny")
@pytest.mark.parametrize("policy", [{"allow_tool_ids": ["calculator"]}, {"deny_tool_ids": ["clock"]}, {}])
def test_a_tool_that_is_allowed_is_called(service: Service, policy: dict[str, list[str]]) -> None:
    """What the policy does not forbid works."""
    assert service.run(service.goals.of_arp(_ASKED), tool_policy=policy)[0]["state"] == "succeeded"


def _error_code(service: Service, policy: dict[str, Any]) -> str:
    run_id = service.submit(service.goals.of_arp(_ASKED), tool_policy=policy)["run_id"]
    assert "437" not in str([event.data.get("data") for event in service.events(run_id)])
    code: str = service.result(run_id)["error"]["code"]
    return code
