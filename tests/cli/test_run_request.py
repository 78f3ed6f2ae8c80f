"""From the options of `arpctl run` to what the SDK takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from arp_cli.errors import UsageError
from arp_cli.run_request import RunOptions, read_goal, read_options

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_not_given_is_not_sent() -> None:
    """The daemon's own defaults apply."""
    assert set(read_options(RunOptions()).values()) == {None}


def test_each_option_is_one_of_the_sdk(tmp_path: Path) -> None:
    """Every option reaches the wire."""
    file = tmp_path / "data.json"
    file.write_text('{"k": [1]}')
    options = RunOptions(
        context='{"a": 1}',
        data=f"@{file}",
        profile="p",
        instance="i",
        timeout_ms=0,
        max_steps=2,
        max_tokens=3,
        allow_tool=("t1", "t2"),
        deny_tool=("t3",),
        label=("x=1", "y=a=b", "z="),
        run_id="r1",
    )
    assert read_options(options) == {
        "run_id": "r1",
        "context": {"a": 1},
        "data": {"k": [1]},
        "profile": "p",
        "instance_id": "i",
        "timeout_ms": 0,
        "max_steps": 2,
        "max_tokens": 3,
        "allow_tool_ids": ("t1", "t2"),
        "deny_tool_ids": ("t3",),
        "labels": {"x": "1", "y": "a=b", "z": ""},
    }


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (RunOptions(label=("x",)), "--label: 'x' must be KEY=VALUE."),
        (RunOptions(label=("=x",)), "--label: '=x' must be KEY=VALUE."),
        (RunOptions(context="[1]"), "--context: must be a JSON object"),
        (RunOptions(data="{"), "--data: "),
        (RunOptions(data="[" * 100_000), "--data: "),
        (RunOptions(data="@/no/such/file"), "--data: [Errno 2] No such file"),
        (RunOptions(data="@/"), "--data: [Errno 21]"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(options: RunOptions, reason: str) -> None:
    """The message says which option, and why."""
    with pytest.raises(UsageError) as caught:
        read_options(options)
    assert str(caught.value).startswith(reason)


def test_a_goal_that_looks_like_a_mistyped_option_is_refused() -> None:
    """A goal may begin with a minus, as numbers do."""
    assert read_goal("-5 + 3") == "-5 + 3"
    with pytest.raises(UsageError, match="Unknown option: --detatch"):
        read_goal("--detatch")
