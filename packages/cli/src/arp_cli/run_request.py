"""From the options of `arpctl run` to those of `DaemonClient.run`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Group, Parameter

from arp_cli.errors import UsageError

if TYPE_CHECKING:
    from arp_sdk.daemon import DaemonRunOptions

_INPUT = Group("Input", sort_key=1)
_PLACE = Group("Where it runs", sort_key=2)
_LIMITS = Group("Limits", sort_key=3)
_TOOLS = Group("Tools", sort_key=4)
_ABOUT = Group("About the run", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options that say what a run is."""

    context: Annotated[str | None, Parameter(group=_INPUT, metavar="JSON")] = None
    """Background for the agent: a JSON object, @FILE, or @- for standard input."""
    data: Annotated[str | None, Parameter(group=_INPUT, metavar="JSON")] = None
    """Material that the goal is about; given like --context."""
    profile: Annotated[str | None, Parameter(group=_PLACE, metavar="NAME")] = None
    """Any instance of this runtime profile; see `arpctl profiles`. Without it, the profile `default`."""
    instance: Annotated[str | None, Parameter(group=_PLACE, metavar="ID")] = None
    """Exactly this instance; see `arpctl instances`."""
    timeout_ms: Annotated[int | None, Parameter(group=_LIMITS, metavar="MS")] = None
    """The longest time that the run may execute, in milliseconds; waiting does not count."""
    max_steps: Annotated[int | None, Parameter(group=_LIMITS, metavar="N")] = None
    """How many steps the agent may take; a tool call is one."""
    max_tokens: Annotated[int | None, Parameter(group=_LIMITS, metavar="N")] = None
    """How many tokens the agent may produce."""
    allow_tool: Annotated[tuple[str, ...], Parameter(group=_TOOLS, metavar="ID")] = ()
    """Only the tools so named may be used. Can be given several times."""
    deny_tool: Annotated[tuple[str, ...], Parameter(group=_TOOLS, metavar="ID")] = ()
    """This tool may not be used, allowed or not. Can be given several times."""
    label: Annotated[tuple[str, ...], Parameter(group=_ABOUT, metavar="KEY=VALUE")] = ()
    """A label that stays with the run. Can be given several times."""
    run_id: Annotated[str | None, Parameter(group=_ABOUT, metavar="ID")] = None
    """The id that the run shall have. The same command again then shows the same run."""


def read_goal(goal: str) -> str:
    """Return the goal; `-` stands for standard input.

    Raises:
        UsageError: the goal looks like an option that was mistyped.
    """
    if goal.startswith("--"):
        raise UsageError(f"Unknown option: {goal}. A goal that begins with -- comes by `arpctl run -`.")
    return sys.stdin.read().strip() if goal == "-" else goal


def read_options(options: RunOptions) -> DaemonRunOptions:
    """Return what `DaemonClient.run` takes. What is not given is left to the daemon.

    Raises:
        UsageError: an option is not what it must be.
    """
    return {
        "context": _read_object("--context", options.context),
        "data": _read_object("--data", options.data),
        "profile": options.profile,
        "instance_id": options.instance,
        "timeout_ms": options.timeout_ms,
        "max_steps": options.max_steps,
        "max_tokens": options.max_tokens,
        "allow_tool_ids": options.allow_tool or None,
        "deny_tool_ids": options.deny_tool or None,
        "labels": read_labels(options.label) or None,
        "run_id": options.run_id,
    }


def read_labels(labels: tuple[str, ...]) -> dict[str, str]:
    """Return the labels that are given as KEY=VALUE.

    Raises:
        UsageError: one is not.
    """
    found: dict[str, str] = {}
    for label in labels:
        key, separator, value = label.partition("=")
        if not key or not separator:
            raise UsageError(f"--label: {label!r} must be KEY=VALUE.")
        found[key] = value
    return found


def _read_object(option: str, text: str | None) -> dict[str, Any] | None:
    """Read a JSON object from the text, or from the file that it names."""
    if text is None:
        return None
    try:
        source = _read_file(text[1:]) if text.startswith("@") else text
        value = msgspec.json.decode(source)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError, RecursionError) as exc:
        raise UsageError(f"{option}: {exc}") from exc
    if not isinstance(value, dict):
        raise UsageError(f'{option}: must be a JSON object, such as {{"key": "value"}}.')
    return value


def _read_file(name: str) -> str:
    return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
