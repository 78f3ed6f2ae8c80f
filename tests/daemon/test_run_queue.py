"""Accepted runs wait in order of arrival."""

from __future__ import annotations

from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.open_run import OpenRun
from arp_daemon.run_queue import RunQueue
from arp_daemon.selector import Selector
from arp_daemon.store import RunRecord
from arp_model import RunState

_A, _B = Selector(runtime_profile="a"), Selector(runtime_profile="b")
_NOW = datetime.now(timezone.utc)


def _run(position: int, selector: Selector = _A) -> OpenRun:
    record = RunRecord(position, f"r{position}", RunState.QUEUED, b"", _NOW, None, None, None, 0, None, None)
    return OpenRun(record, selector)


@given(st.permutations(range(8)))
def test_runs_leave_in_order_of_arrival_however_they_were_put(order: list[int]) -> None:
    """A run that is queued again takes its old place."""
    queue = RunQueue()
    for position in order:
        queue.put(_run(position))
    assert [run.position for run in queue.drain(_A)] == list(range(8))


def test_selectors_do_not_wait_for_each_other() -> None:
    """Each selector has a queue of its own, and an empty one is forgotten."""
    queue = RunQueue()
    queue.put(_run(1, _A))
    queue.put(_run(2, _B))
    assert queue.take(_B).position == 2
    assert queue.selectors() == [_A]
    assert len(queue) == 1


def test_a_run_is_taken_out_once() -> None:
    """Removing says whether the run was still waiting."""
    queue = RunQueue()
    run = _run(1)
    queue.put(run)
    assert queue.remove(run)
    assert not queue.remove(run)
    assert queue.selectors() == []
