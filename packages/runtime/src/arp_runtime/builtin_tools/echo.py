"""The tool `echo`: gives back what it gets."""

from __future__ import annotations

from typing import Any

import msgspec

from arp_runtime.tools import FunctionTool


class EchoArgs(msgspec.Struct, forbid_unknown_fields=True):
    """What echo takes."""

    text: str


async def echo(args: EchoArgs) -> dict[str, Any]:
    """The same text."""
    return {"text": args.text}


ECHO = FunctionTool(
    tool_id="echo",
    description="Gives back the text that it gets.",
    arguments=EchoArgs,
    function=echo,
)
