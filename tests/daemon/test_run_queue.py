"""Accepted runs wait in order of arrival."""

from __future__ import annotations

import sys
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
    record = RunRecord(position=position, run_id=f"r{position}", state=RunState.QUEUED, request=b"12", created_at=_NOW)
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


@given(st.lists(st.tuples(st.sampled_from(["put", "take", "remove"]), st.integers(0, 5)), max_size=60))
def test_whatever_is_done_the_queue_is_a_sorted_list(steps: list[tuple[str, int]]) -> None:
    """Puts, takes and removals in any order leave what they would leave in a list, and count its bytes."""
    queue, model = RunQueue(), dict[int, OpenRun]()
    for what, position in steps:
        if what == "put" and position not in model:
            model[position] = _run(position)
            queue.put(model[position])
        elif what == "take" and model:
            assert queue.take(_A) is model.pop(min(model))
        elif what == "remove" and position in model:
            assert queue.remove(model.pop(position))
        assert (queue.waiting(_A), queue.bytes) == (len(model), 2 * len(model))
    assert list(queue.drain(_A)) == [run for _, run in sorted(model.items())]


def test_runs_that_are_taken_out_leave_nothing_behind() -> None:
    """However many come and go behind one that waits, they cost no memory."""
    queue = RunQueue()
    queue.put(_run(0))
    for position in range(1, 10_000):
        run = _run(position)
        queue.put(run)
        queue.remove(run)
    assert len(queue) == 1
    assert sys.getsizeof(queue._lines[_A]._heap) < 10_000
