"""The tool `echo`: gives back what it gets."""

from __future__ import annotations

from typing import Any

from arp_runtime.tools.functions import tool


@tool
async def echo(text: str) -> dict[str, Any]:
    """Gives back the text that it gets."""
    return {"text": text}
