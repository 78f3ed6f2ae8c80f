"""What has happened is written in order, whatever the store refuses."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from arp_daemon.durable import Ledger
from arp_daemon.store import OutOfOrderError
from arp_service.sqlite import StoreUnavailableError
from arp_service.stopping import Stop


class _Shelf:
    """Takes numbers in order, as a run's log does; refuses as often as it is told to."""

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[int] = []
        self.refusals = refusals

    async def put(self, number: int) -> None:
        """Take the next one."""
        await checkpoint()
        if number == len(self.taken) and self.refusals:
            self.refusals -= 1
            raise StoreUnavailableError("full")
        if number != len(self.taken):
            raise OutOfOrderError(str(number))
        self.taken.append(number)


@pytest.mark.parametrize("refusals", [0, 1, 7])
async def test_what_overtakes_a_refused_write_waits_for_it(refusals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the earlier one is refused: nothing is stored with a gap before it, and nothing is lost."""
    monkeypatch.setattr("arp_daemon.durable._STORE_RETRY_S", 0.001)
    shelf, ledger = _Shelf(refusals), Ledger(Stop())
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(ledger.write, lambda number=number: shelf.put(number))
    assert shelf.taken == [0, 1, 2]


async def test_a_write_whose_predecessor_nobody_writes_is_an_error() -> None:
    """It is not tried for ever: what it rests on will never be stored."""
    with pytest.raises(OutOfOrderError):
        await Ledger(Stop()).write(lambda: _Shelf().put(1))


async def test_once_a_write_was_given_up_no_later_one_is_made() -> None:
    """When the process closes while the store refuses, the next daemon finds no more than what is in order."""
    stop = Stop()
    stop.closing.set()
    shelf, ledger = _Shelf(refusals=1), Ledger(stop)
    assert [await ledger.write(lambda: shelf.put(0)) for _ in range(2)] == [False, False]
    assert shelf.taken == []
