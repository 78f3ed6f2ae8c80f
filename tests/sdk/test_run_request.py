"""From the words that `run` takes to the RunRequest that is sent."""

from __future__ import annotations

import pytest

from arp_sdk._run_request import build_run_request
from arp_sdk.daemon import DaemonRunOptions
from arp_sdk.runtime import RunOptions


@pytest.mark.parametrize("options", [RunOptions(), RunOptions(context=None, labels=None, timeout_ms=None)])
def test_what_is_not_given_is_not_sent(options: RunOptions) -> None:
    """The service's own defaults apply; None is not given."""
    assert build_run_request("g", options, RunOptions).to_dict() == {"input": {"goal": "g"}}


def test_each_option_has_its_place_in_the_request() -> None:
    """Every option reaches the wire, what is empty or 0 as well."""
    options = DaemonRunOptions(
        context={"a": 1},
        data={},
        profile="p",
        instance_id="i",
        timeout_ms=0,
        max_steps=2,
        max_tokens=3,
        allow_tool_ids=(),
        deny_tool_ids=("t3",),
        labels={"x": "1"},
        run_id="r1",
    )
    assert set(options) == set(DaemonRunOptions.__annotations__)
    assert build_run_request("g", options, DaemonRunOptions).to_dict() == {
        "run_id": "r1",
        "input": {"goal": "g", "context": {"a": 1}, "data": {}},
        "runtime_selector": {"runtime_profile": "p", "instance_id": "i"},
        "limits": {"timeout_ms": 0, "max_steps": 2, "max_tokens": 3},
        "tool_policy": {"allow_tool_ids": [], "deny_tool_ids": ["t3"]},
        "metadata": {"labels": {"x": "1"}},
    }


def test_a_runtime_takes_no_option_that_it_would_ignore() -> None:
    """Whoever calls a runtime has chosen it already."""
    with pytest.raises(TypeError, match="no option profile"):
        build_run_request("g", DaemonRunOptions(profile="p"), RunOptions)
