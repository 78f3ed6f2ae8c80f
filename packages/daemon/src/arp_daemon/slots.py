"""Slots of instances that are held for runs while they are stored.

A run that finds an instance with a free slot is accepted and claimed in one commit: it is running when its client hears
of it, and one write and one sync are saved. Whoever waits for that slot, or is about to, has the better right to it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.dispatcher import Dispatcher
    from arp_daemon.link import Link
    from arp_daemon.open_run import OpenRun
    from arp_daemon.run_queue import RunQueue
    from arp_daemon.selector import Selector


class Slots:
    """Asked for each run that is about to be stored, and told of each that has been."""

    def __init__(self, dispatcher: Dispatcher, queue: RunQueue) -> None:
        self._dispatcher = dispatcher
        self._queue = queue

    @contextmanager
    def held(self, selectors: list[Selector]) -> Iterator[list[Link | None]]:
        """Hold a slot for each run until the block ends; None for one that has to be queued.

        A run that was stored for a slot is to be begun before that. What was held in vain is free again.
        """
        links = [self._hold(selector) for selector in selectors]
        try:
            yield links
        finally:
            for selector, link in zip(selectors, links, strict=True):
                if link is None:
                    self._queue.expect_no_more(selector)
                else:
                    link.give_slot_back()
                    self._dispatcher.on_slot(link.instance)

    def begin(self, run: OpenRun, link: Link) -> None:
        """A run has been stored for the slot that was held for it."""
        self._dispatcher.begin(run, link)

    def _hold(self, selector: Selector) -> Link | None:
        link = self._dispatcher.next_link(selector)
        if link is None:
            self._queue.expect(selector)
        else:
            link.instance.hold_slot()
        return link
