"""Outputs that are too large to travel with every copy of a result: they become artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from arp_runtime.errors import InvalidArtifactError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_OUTPUT_BYTES = 1024 * 1024
OUTPUT_ARTIFACT = "output.json"
PARTIAL = "partial"
"""In an output, true: it is what was said until the run ended early."""


async def fit(
    output: dict[str, Any] | None, encoded: bytes, write: Callable[[str, bytes], Awaitable[object]]
) -> dict[str, Any] | None:
    """Return an output that is small enough: itself, or the name of the artifact that `write` makes of it.

    Raises:
        InvalidArtifactError: it cannot be written.
    """
    if len(encoded) <= MAX_OUTPUT_BYTES:
        return output
    await write(OUTPUT_ARTIFACT, encoded)
    return {"artifact": OUTPUT_ARTIFACT, "bytes": len(encoded)}


async def fit_partial(said: str, write: Callable[[str, bytes], Awaitable[object]]) -> dict[str, Any] | None:
    """The output of a run that ended early, from what it had said: in an artifact where it is large.

    The run ends whatever the disk does; its events have all of it.
    """
    if not said:
        return None
    output = {"answer": said, PARTIAL: True}
    try:
        fitting = await fit(output, msgspec.json.encode(output), write)
    except InvalidArtifactError:
        return None
    return {PARTIAL: True, **fitting} if fitting else None
