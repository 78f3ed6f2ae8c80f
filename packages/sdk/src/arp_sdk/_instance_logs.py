"""Following what an instance says, for the daemon's clients."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from arp_sdk._async import AsyncClient
from arp_sdk._operation import build_call, require_media_type
from arp_sdk._sync import SyncClient
from arp_sdk.generated.daemon import GET_INSTANCE_LOGS, GetInstanceLogsRequest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from arp_sdk._operation import Call


class SyncInstanceLogs(SyncClient):
    """A blocking client that can follow an instance's output."""

    def iter_instance_logs(
        self, instance_id: str, *, stream: str | None = None, lines: int | None = None
    ) -> Generator[str, None, None]:
        """Yield the instance's last `lines` lines and all that it says after them, in pieces, until it ends.

        `stream` is `stdout` or `stderr`, which is the default. Raises ArpApiError when the connection breaks.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with self._stream(_call(instance_id, stream, lines), silent=True) as response:
            require_media_type(GET_INSTANCE_LOGS.media_type, response.status_code, response.headers)
            for chunk in response.iter_bytes():
                if text := decoder.decode(chunk):
                    yield text


class AsyncInstanceLogs(AsyncClient):
    """An async client that can follow an instance's output."""

    async def iter_instance_logs(
        self, instance_id: str, *, stream: str | None = None, lines: int | None = None
    ) -> AsyncGenerator[str, None]:
        """Yield the instance's last `lines` lines and all that it says after them, in pieces, until it ends.

        `stream` is `stdout` or `stderr`, which is the default. Raises ArpApiError when the connection breaks.
        Whoever stops early closes the iterator (`contextlib.aclosing`).
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async with self._stream(_call(instance_id, stream, lines), silent=True) as response:
            require_media_type(GET_INSTANCE_LOGS.media_type, response.status_code, response.headers)
            async for chunk in response.aiter_bytes():
                if text := decoder.decode(chunk):
                    yield text


def _call(instance_id: str, stream: str | None, lines: int | None) -> Call:
    return build_call(GET_INSTANCE_LOGS, GetInstanceLogsRequest(instance_id, stream=stream, lines=lines, follow=True))
