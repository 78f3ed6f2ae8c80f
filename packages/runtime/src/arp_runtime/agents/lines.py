"""Lines of bounded length from a stream of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator


class LineTooLongError(Exception):
    """A line has more bytes than it may have."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"it has more than {max_bytes} bytes")


async def read_lines(chunks: AsyncIterable[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the lines without their ends; the last one may lack it.

    Raises:
        LineTooLongError: with the bound.
    """
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if len(line) > max_bytes:
                raise LineTooLongError(max_bytes)
            yield line
        if len(rest) > max_bytes:
            raise LineTooLongError(max_bytes)
    if rest:
        yield rest
