"""`POST /v1/runs:batch`, as runtime and daemon have it: each item is treated as if it had come alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import anyio.lowlevel
import msgspec

from arp_model import UNSET, Extensions, Model, RunBatchItem, RunRequest, RunStatus, UnsetType
from arp_service.body import decode_struct, read_struct
from arp_service.errors import ServiceError
from arp_service.responses import error_detail

if TYPE_CHECKING:
    from starlette.requests import Request

# A thousand runs, each as large as one that is sent alone, would be too much at once.
MAX_BATCH_BYTES = 64 * 1024 * 1024


class _Batch(Model):
    """A RunBatchRequest whose items are still JSON: one that is wrong is refused alone."""

    runs: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=1000)]
    extensions: Extensions | UnsetType = UNSET


async def read_run_batch(request: Request) -> list[RunRequest | ServiceError]:
    """Read the runs of a batch; in the place of one that is no RunRequest stands what it is refused with.

    Raises:
        ServiceError: the batch as a whole is none; see `read_struct`.
    """
    batch = await read_struct(request, _Batch, MAX_BATCH_BYTES)
    found: list[RunRequest | ServiceError] = []
    for raw in batch.runs:
        try:
            found.append(decode_struct(bytes(raw), RunRequest))
        except ServiceError as error:
            found.append(error)
        await anyio.lowlevel.checkpoint()  # a large batch holds up nobody else
    return found


def batch_item(outcome: RunStatus | ServiceError) -> RunBatchItem:
    """What became of one item."""
    if isinstance(outcome, ServiceError):
        return RunBatchItem(error=error_detail(outcome))
    return RunBatchItem(status=outcome)
