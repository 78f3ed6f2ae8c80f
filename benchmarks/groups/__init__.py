"""One module measures one group of rows. They are measured in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.groups import events, growth, instances, one_run, queue, runs, sdk, watchers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.bench import Bench

__all__ = ["GROUPS"]

GROUPS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "runs": runs.measure,
    "one_run": one_run.measure,
    "events": events.measure,
    "watchers": watchers.measure,
    "instances": instances.measure,
    "growth": growth.measure,
    "queue": queue.measure,
    "sdk": sdk.measure,
}
